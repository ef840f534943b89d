//! How one check came out, as the checks word it.

use std::fmt;
use std::path::PathBuf;

use super::condition::{Check, Condition, Evidence, Verdict};
use crate::model::nic::inventory::Nic;

/// A condition that does not know yet which check it is of.
#[derive(Debug)]
pub(super) struct CheckResult {
    verdict: Verdict,
    reason: String,
    evidence: Vec<Evidence>,
}

impl CheckResult {
    fn new(verdict: Verdict, reason: impl fmt::Display) -> Self {
        Self {
            verdict,
            reason: reason.to_string(),
            evidence: Vec::new(),
        }
    }

    /// As it should be.
    pub fn ok(reason: impl fmt::Display) -> Self {
        Self::new(Verdict::Ok, reason)
    }

    /// Not readable, or not applicable.
    pub fn unknown(reason: impl fmt::Display) -> Self {
        Self::new(Verdict::Unknown, reason)
    }

    /// A suspicion: never more than a warning, whatever the policy.
    pub fn suspect(reason: impl fmt::Display) -> Self {
        Self::new(Verdict::Warn, reason)
    }

    /// Bad. The policy says what becomes of it.
    pub fn bad(reason: impl fmt::Display) -> Self {
        Self::new(Verdict::Fail, reason)
    }

    /// Whether it is not as it should be.
    pub fn is_bad(&self) -> bool {
        self.verdict.is_bad()
    }

    /// With what was read at `path`.
    pub fn with_evidence(mut self, path: impl Into<PathBuf>, value: impl fmt::Display) -> Self {
        self.evidence.push(Evidence {
            path: path.into(),
            value: value.to_string(),
        });
        self
    }

    /// With what was read of an attribute of the NIC.
    pub fn with_attribute(self, nic: &Nic, attribute: &str, value: impl fmt::Display) -> Self {
        self.with_evidence(nic.sysfs.join(attribute), value)
    }

    /// As a condition.
    pub fn into_condition(self, check: Check) -> Condition {
        Condition {
            check,
            verdict: self.verdict,
            reason: self.reason,
            evidence: self.evidence,
        }
    }
}
