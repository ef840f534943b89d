//! What a bad condition means on this site, and how long news of it waits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::condition::{Check, Condition, Verdict};
use crate::model::services::admission::Asker;

/// What a bad condition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The NIC is Unhealthy.
    Fail,
    /// It is told; the NIC stays Healthy.
    Warn,
    /// Nothing.
    Ignore,
}

impl Action {
    /// By rising consequence.
    pub const ALL: [Self; 3] = [Self::Ignore, Self::Warn, Self::Fail];

    /// As the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Ignore => "ignore",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.name() == text).ok_or(())
    }
}

/// No condition has this name, or none that a policy can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCondition;

/// What a site makes of the conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthPolicy {
    /// How long a condition must be bad before it is published.
    pub hold_down: Duration,
    /// How long a condition that was published as bad must be good before that is published.
    pub hold_up: Duration,
    /// Whose pod is asked about, where it is asked whether one could use a NIC.
    pub pod: Asker,
    /// A NIC on which pods get no service of their own is none that they could use.
    pub is_isolation_required: bool,
    /// By the order of [`Check::OF_NIC`].
    actions: [Action; Check::OF_NIC.len()],
}

impl Default for HealthPolicy {
    /// A retrain of the link may take 35 s (`cass_sl.c`), so good news is waited for rather longer than bad.
    fn default() -> Self {
        Self {
            hold_down: Duration::from_secs(5),
            hold_up: Duration::from_secs(30),
            pod: Asker::default(),
            is_isolation_required: false,
            actions: Check::OF_NIC.map(default_action),
        }
    }
}

/// Without a policy of the site: what keeps libfabric from the NIC, or the fabric from routing to it, fails.
const fn default_action(check: Check) -> Action {
    match check {
        Check::Present
        | Check::PciEnabled
        | Check::Cordoned
        | Check::Link
        | Check::RetryHandler
        | Check::FabricAddress
        | Check::NetdevUp
        | Check::CdiFile
        | Check::DeviceLink => Action::Fail,
        Check::Readable
        | Check::CxiService
        | Check::Resources
        | Check::PcieErrors
        | Check::LinkFlaps
        | Check::PcieLink
        | Check::LinkSpeed => Action::Warn,
    }
}

impl HealthPolicy {
    /// The names of all conditions that can be set, in the order in which they are listed.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Check::OF_NIC.into_iter().map(Check::name)
    }

    /// What the condition does when it is bad.
    pub fn action(&self, check: Check) -> Action {
        if check == Check::CxiService && self.is_isolation_required {
            return Action::Fail;
        }
        let of_nic = Check::OF_NIC.into_iter().zip(self.actions);
        let set = of_nic.into_iter().find(|(of_nic, _)| *of_nic == check);
        set.map_or_else(|| default_action(check), |(_, action)| action)
    }

    /// Sets what the condition of this name does when it is bad.
    ///
    /// # Errors
    /// There is no such condition; [`names`](Self::names) lists them.
    pub fn set(&mut self, name: &str, action: Action) -> Result<(), UnknownCondition> {
        let mut of_nic = Check::OF_NIC.into_iter().zip(&mut self.actions);
        let (_, set) = of_nic.find(|(check, _)| check.name() == name).ok_or(UnknownCondition)?;
        *set = action;
        Ok(())
    }

    /// The condition as this policy sees it. What is good or unknown stays so; a suspicion (warn) never becomes a failure.
    pub fn apply(&self, mut condition: Condition) -> Condition {
        let limit = match self.action(condition.check) {
            _ if !condition.verdict.is_bad() => return condition,
            Action::Fail => Verdict::Fail,
            Action::Warn => Verdict::Warn,
            Action::Ignore => {
                condition.reason.push_str("; ignored by the configuration");
                Verdict::Ok
            }
        };
        condition.verdict = condition.verdict.min(limit);
        condition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(check: Check, verdict: Verdict) -> Condition {
        Condition {
            check,
            verdict,
            reason: "bad".to_owned(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn every_name_can_be_set_and_reads_back_and_changes_no_other() {
        for name in HealthPolicy::names() {
            for action in Action::ALL {
                let mut policy = HealthPolicy::default();
                assert_eq!(policy.set(name, action), Ok(()));
                for check in Check::OF_NIC {
                    let expected = if check.name() == name {
                        action
                    } else {
                        HealthPolicy::default().action(check)
                    };
                    assert_eq!(policy.action(check), expected, "{name} {check}");
                }
            }
        }
        for name in ["", "links", "Link", "cdi-file", "device-link"] {
            assert_eq!(
                HealthPolicy::default().set(name, Action::Warn),
                Err(UnknownCondition),
                "{name}"
            );
        }
    }

    #[test]
    fn a_policy_changes_bad_conditions_only_and_makes_nothing_worse() {
        let mut policy = HealthPolicy::default();
        for action in Action::ALL {
            assert_eq!(action.name().parse(), Ok(action));
            policy.set("link", action).unwrap();
            for verdict in [Verdict::Ok, Verdict::Unknown] {
                assert_eq!(policy.apply(bad(Check::Link, verdict)), bad(Check::Link, verdict));
            }
        }
        for (action, suspicion, failure) in [
            (Action::Fail, Verdict::Warn, Verdict::Fail),
            (Action::Warn, Verdict::Warn, Verdict::Warn),
            (Action::Ignore, Verdict::Ok, Verdict::Ok),
        ] {
            policy.set("link", action).unwrap();
            assert_eq!(policy.apply(bad(Check::Link, Verdict::Warn)).verdict, suspicion);
            assert_eq!(policy.apply(bad(Check::Link, Verdict::Fail)).verdict, failure);
        }
        assert!(policy.apply(bad(Check::Link, Verdict::Fail)).reason.contains("ignored"));
    }
}
