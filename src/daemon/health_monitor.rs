//! The health engine with what surrounds it: the clocks, and the file that outlives the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::host::clock::unix_seconds;
use crate::host::nics::health_state::HealthStateFile;
use crate::model::health::history::NicHistories;
use crate::model::health::{Engine, Health, HealthPolicy, Moment};
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// Judges what was looked at, now.
#[derive(Debug)]
pub struct HealthMonitor {
    engine: Engine,
    began: Instant,
    file: Arc<HealthStateFile>,
    kept: NicHistories,
    has_warned: bool,
}

impl HealthMonitor {
    /// By this policy, with what an earlier process has left in the daemon's own directory.
    pub fn new(policy: HealthPolicy, run_dir: &Path) -> Self {
        let file = HealthStateFile::new(run_dir);
        let kept = file.read().unwrap_or_else(|reason| {
            tracing::warn!("what was remembered of NICs is lost: {reason}");
            NicHistories::new()
        });
        Self {
            engine: Engine::new(policy, kept.clone()),
            began: Instant::now(),
            file: Arc::new(file),
            kept,
            has_warned: false,
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

    /// Writes what is to be remembered, if it has changed; on a thread of its own, as the disk may be slow.
    pub async fn save(&mut self) {
        if self.engine.histories() == &self.kept {
            return;
        }
        self.kept.clone_from(self.engine.histories());
        let (file, histories) = (Arc::clone(&self.file), self.kept.clone());
        let written = match spawn_blocking(move || file.write(&histories)).await {
            Ok(written) => written.map_err(anyhow::Error::new),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written
            && !std::mem::replace(&mut self.has_warned, true)
        {
            tracing::warn!("what is remembered of NICs will not outlive this process: {error:#}");
        }
    }
}
