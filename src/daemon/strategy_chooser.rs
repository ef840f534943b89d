//! Which strategy counts, by what the site and the container runtime say; the log says each change once.

use std::path::PathBuf;

use tokio::sync::watch;

use crate::host::files::roots::Roots;
use crate::model::alloc::strategy::{Strategy, StrategySetting};
use crate::model::cdi::naming::Naming;
use crate::model::config::Settings;
use crate::model::message_id;
use crate::model::runtime::answer::{Heard, RuntimeAnswer};
use crate::model::runtime::choice::{Choice, choose};
use crate::model::runtime::record::StrategyStatus;

/// Chooses, and remembers what it has chosen.
#[derive(Debug)]
pub struct StrategyChooser {
    setting: StrategySetting,
    naming: Naming,
    /// As the runtime sees it.
    cdi_dir: PathBuf,
    runtime: watch::Receiver<Heard>,
    chosen: Option<(Choice, RuntimeAnswer)>,
}

impl StrategyChooser {
    /// Nothing is chosen yet.
    pub fn new(settings: &Settings, roots: &Roots, runtime: watch::Receiver<Heard>) -> Self {
        let cdi_dir = &settings.cdi.dir;
        // On the host there is no prefix.
        let on_host = cdi_dir
            .strip_prefix(roots.top())
            .map(|below| PathBuf::from("/").join(below));
        Self {
            setting: settings.strategy,
            naming: settings.cdi.naming.clone(),
            cdi_dir: on_host.unwrap_or_else(|_| cdi_dir.clone()),
            runtime,
            chosen: None,
        }
    }

    /// From the next choice on, this is what the runtime says.
    pub fn hear(&mut self, runtime: watch::Receiver<Heard>) {
        self.runtime = runtime;
    }

    /// From the next choice on, these settings count. The directory takes a restart.
    pub fn adopt(&mut self, settings: &Settings) {
        self.setting = settings.strategy;
        self.naming = settings.cdi.naming.clone();
    }

    /// What counts now. If it depends on a runtime that has just been asked, waits until that has answered or counts as silent.
    pub async fn choose(&mut self) -> Strategy {
        if self.setting == StrategySetting::Auto {
            let is_told = |heard: &Heard| heard.answer != RuntimeAnswer::Awaited;
            // Without anybody who asks there will be no answer.
            let _ = self.runtime.wait_for(is_told).await;
        }
        let answer = self.runtime.borrow_and_update().answer.clone();
        let choice = self.follows_from(&answer);
        let strategy = choice.strategy;
        if self.chosen.as_ref().is_none_or(|(chosen, _)| *chosen != choice) {
            log(&choice);
        }
        self.chosen = Some((choice, answer));
        strategy
    }

    /// The life of kubelet in which what was chosen last is what follows from what the runtime says; none if it is not.
    pub fn settled(&self) -> Option<u64> {
        let heard = self.runtime.borrow();
        let (choice, before) = self.chosen.as_ref()?;
        let is_current = *before == heard.answer && *choice == self.follows_from(before);
        is_current.then_some(heard.kubelet)
    }

    /// What was chosen last, and why.
    pub fn status(&self) -> StrategyStatus {
        let status = |(choice, answer): &(Choice, RuntimeAnswer)| StrategyStatus::new(self.setting, choice, answer);
        self.chosen.as_ref().map(status).unwrap_or_default()
    }

    fn follows_from(&self, answer: &RuntimeAnswer) -> Choice {
        choose(self.setting, answer, &self.naming, &self.cdi_dir)
    }
}

fn log(choice: &Choice) {
    let message_id = message_id::STRATEGY;
    let (strategy, reason) = (choice.strategy.name(), &choice.reason);
    if choice.is_doubtful {
        tracing::warn!(
            message_id,
            strategy,
            reason,
            "pods may start without their NICs: strategy {strategy}: {reason}"
        );
    } else {
        tracing::info!(message_id, strategy, reason, "strategy {strategy}: {reason}");
    }
}
