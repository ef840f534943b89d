//! What `status.json` says of the container runtime and the strategy.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::answer::RuntimeAnswer;
use super::cdi::CdiSupport;
use super::choice::Choice;
use crate::model::alloc::strategy::StrategySetting;

/// How containers get their NICs, and why so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyStatus {
    /// What the site says: `auto`, `cdi` or `direct`.
    pub setting: String,
    /// What counts: `cdi` or `direct`.
    pub in_force: String,
    /// Why.
    pub reason: String,
    /// Since when this is so; null where nobody keeps watch.
    pub since: Option<u64>,
    /// The runtime that has answered; null if none has.
    pub runtime: Option<RuntimeStatus>,
}

/// A runtime that has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeStatus {
    /// Where it was asked.
    pub socket: PathBuf,
    /// In its own words.
    pub name: String,
    /// In its own words.
    pub version: String,
    /// What becomes of CDI names.
    pub cdi: CdiSupport,
}

impl StrategyStatus {
    /// Of what was chosen.
    pub fn new(setting: StrategySetting, choice: &Choice, answer: &RuntimeAnswer) -> Self {
        let runtime = match answer {
            RuntimeAnswer::Known(facts) => Some(RuntimeStatus {
                socket: facts.socket.clone(),
                name: facts.name.clone(),
                version: facts.version.clone(),
                cdi: facts.cdi().0,
            }),
            RuntimeAnswer::Awaited | RuntimeAnswer::Silent(_) => None,
        };
        Self {
            setting: setting.name().to_owned(),
            in_force: choice.strategy.name().to_owned(),
            reason: choice.reason.clone(),
            since: None,
            runtime,
        }
    }

    /// Gives it its time: that of `former` where nothing else differs, else now.
    pub fn date(&mut self, former: &Self, now: u64) {
        self.since = former.since;
        if self != former {
            self.since = Some(now);
        }
        self.since.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_old_as_it_is_the_same() {
        let status = |reason: &str| StrategyStatus {
            reason: reason.to_owned(),
            ..StrategyStatus::default()
        };
        let mut first = status("a");
        first.date(&StrategyStatus::default(), 1);
        let mut same = status("a");
        same.date(&first, 2);
        let mut other = status("b");
        other.date(&same, 3);
        assert_eq!([first.since, same.since, other.since], [Some(1), Some(1), Some(3)]);
    }
}
