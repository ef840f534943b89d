//! What is said of a container.

use serde::Serialize;

use super::facts::NicInContainer;
use crate::model::health::{Condition, Verdict};
use crate::model::remedy;

/// Something that was checked and is not simply good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerFinding {
    /// Which check, for programs.
    pub kind: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What is wrong, and where it was read.
    pub reason: String,
    /// What to type or to write.
    pub remedy: String,
}

impl ContainerFinding {
    pub(super) fn new(verdict: Verdict, kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            verdict,
            reason: reason.into(),
            remedy: remedy::in_container(kind).to_owned(),
        }
    }

    pub(super) fn fail(kind: &'static str, reason: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, kind, reason)
    }

    pub(super) fn unknown(kind: &'static str, reason: impl ToString) -> Self {
        // That something cannot be read is no reason to change anything.
        let look = if kind == "cxi-service" { kind } else { "node" };
        Self {
            remedy: remedy::in_container(look).to_owned(),
            ..Self::new(Verdict::Unknown, kind, reason.to_string())
        }
    }

    pub(super) fn from_condition(condition: &Condition, verdict: Verdict, view: &NicInContainer) -> Self {
        Self {
            kind: condition.check.name(),
            verdict,
            reason: condition.text(),
            remedy: view.nic.remedy(condition.check),
        }
    }
}
