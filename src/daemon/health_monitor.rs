//! The health engine with what surrounds it: the clocks, and the file that outlives the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::host::clock::unix_seconds;
use crate::host::failure_log::FailureLog;
use crate::host::nics::health_state::HealthStateFile;
use crate::host::worker::Worker;
use crate::model::health::history::NicHistories;
use crate::model::health::{Engine, Health, HealthPolicy, Moment};
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// How often, at most, the file is looked at without news: somebody may have changed or removed it.
const CHECK: Duration = Duration::from_secs(10);

/// Judges what was looked at, now.
#[derive(Debug)]
pub struct HealthMonitor {
    engine: Engine,
    began: Instant,
    kept: NicHistories,
    file: Arc<HealthStateFile>,
    worker: Worker,
    /// Held while the file is written.
    failure_log: Arc<Mutex<FailureLog>>,
    checked: Instant,
}

impl HealthMonitor {
    /// By this policy, with what an earlier process has left in the daemon's own directory; the worker is that of it.
    pub fn new(policy: HealthPolicy, run_dir: &Path, worker: Worker) -> Self {
        let file = HealthStateFile::new(run_dir);
        let kept = file.read().unwrap_or_else(|reason| {
            tracing::warn!("what was remembered of NICs is lost: {reason}");
            NicHistories::new()
        });
        Self {
            engine: Engine::new(policy, kept.clone()),
            began: Instant::now(),
            kept,
            file: Arc::new(file),
            worker,
            failure_log: Arc::new(Mutex::new(FailureLog::new(
                "what is remembered of NICs will not outlive this process",
                "what is remembered of NICs is kept again",
            ))),
            checked: Instant::now(),
        }
    }

    /// From now on by this policy.
    pub fn set_policy(&mut self, policy: HealthPolicy) {
        self.engine.set_policy(policy);
    }

    /// The health of these NICs, which are all there are now.
    pub fn judge(&mut self, nics: &[Nic]) -> BTreeMap<PciAddress, Health> {
        let moment = Moment {
            since_start: self.began.elapsed(),
            unix_seconds: unix_seconds(),
        };
        self.engine.judge(nics, moment)
    }

    /// When news that waits is due.
    pub fn due(&self) -> Option<Instant> {
        self.engine.due().map(|due| self.began + due)
    }

    /// Has what is to be remembered written if it has changed, or could not be written, or may be lost. Waits for nobody.
    pub fn save(&mut self) {
        // An earlier write that has not ended says more than this one could: the next look tries again.
        let Ok(log) = self.failure_log.try_lock() else { return };
        let is_news = self.engine.histories() != &self.kept;
        if !is_news && !log.is_open() && self.checked.elapsed() < CHECK {
            return;
        }
        drop(log);
        if is_news {
            self.kept.clone_from(self.engine.histories());
        }
        self.checked = Instant::now();
        let (file, histories, log) = (Arc::clone(&self.file), self.kept.clone(), Arc::clone(&self.failure_log));
        let write = move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.note(file.write(&histories));
        };
        if let Err(not_done) = self.worker.submit(write) {
            tracing::debug!("what is remembered of NICs is not written: {not_done}");
            self.kept.clear();
        }
    }
}
