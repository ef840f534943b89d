//! Looks at the node on threads of their own and waits only so long: a read that hangs must stop neither kubelet's
//! service nor the news of the other NICs.
//!
//! A NIC at which a look hangs is passed over, and stays as it was, until that look ends. So there is at most one
//! thread for each NIC that hangs, and one for the rest of the node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::scan::Scanner;
use super::scan_options::ScanOptions;
use super::scan_progress::ScanProgress;
use crate::model::message_id;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// How long a look may stay at one place. The driver answers from memory, in microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is done on the thread of a look, before it, because it may hang as well.
pub type Preparation = Arc<dyn Fn() + Send + Sync>;

/// Looks at the node.
pub struct ScanRunner {
    scanner: Arc<Scanner>,
    on_news: Arc<dyn Fn() + Send + Sync>,
    known: BTreeMap<PciAddress, Nic>,
    hanging: Vec<Hanging>,
}

/// A look that has not come back.
struct Hanging {
    at: Option<PciAddress>,
    task: JoinHandle<Reading<Inventory>>,
}

impl std::fmt::Debug for ScanRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hanging: BTreeSet<_> = self.hanging.iter().map(|hanging| hanging.at).collect();
        f.debug_struct("ScanRunner")
            .field("hanging", &hanging)
            .finish_non_exhaustive()
    }
}

impl ScanRunner {
    /// Calls `on_news` when a look that hung has ended.
    pub fn new(scanner: Scanner, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            scanner: Arc::new(scanner),
            on_news: Arc::new(on_news),
            known: BTreeMap::new(),
            hanging: Vec::new(),
        }
    }

    /// From the next look on, something else is looked for beside NICs.
    pub fn adopt(&mut self, options: ScanOptions) {
        self.scanner = Arc::new(self.scanner.with_options(options));
    }

    /// Everything there is now; of a NIC that does not answer, what was known before.
    ///
    /// # Errors
    /// The node as a whole could not be looked at.
    pub async fn look(&mut self, prepare: &Preparation) -> Reading<Inventory> {
        loop {
            self.forget_ended();
            if self.hanging.iter().any(|hanging| hanging.at.is_none()) {
                return Err(ReadError::new("the node", "an earlier look still hangs"));
            }
            match self.look_once(Arc::clone(prepare)).await {
                Ok(inventory) => {
                    let nics = inventory.nics.iter();
                    self.known = nics.map(|nic| (nic.address, nic.clone())).collect();
                    return Ok(inventory);
                }
                Err(Some(read_error)) => return Err(read_error),
                Err(None) => {}
            }
        }
    }

    /// One look; an error without a reason means that one NIC is to be passed over.
    async fn look_once(&mut self, prepare: Preparation) -> Result<Inventory, Option<ReadError>> {
        let progress = self.progress();
        let is_late = Arc::new(AtomicBool::new(false));
        let mut task = {
            let (scanner, progress) = (Arc::clone(&self.scanner), progress.clone());
            let (is_late, on_news) = (Arc::clone(&is_late), Arc::clone(&self.on_news));
            spawn_blocking(move || {
                prepare();
                let found = scanner.scan_along(&progress);
                if is_late.load(Ordering::SeqCst) {
                    on_news();
                }
                found
            })
        };
        let mut before = progress.position();
        let at = loop {
            match timeout(PATIENCE, &mut task).await {
                Ok(Ok(found)) => return found.map_err(Some),
                Ok(Err(error)) => return Err(Some(ReadError::new("the node", error))),
                Err(_elapsed) if progress.position() != before => before = progress.position(),
                Err(_elapsed) => break before.1,
            }
        };
        is_late.store(true, Ordering::SeqCst);
        self.hanging.push(Hanging { at, task });
        let patience = PATIENCE.as_secs();
        let Some(nic) = at else {
            return Err(Some(ReadError::new(
                "the node",
                format!("a look at it hangs for {patience} s"),
            )));
        };
        tracing::error!(
            message_id = message_id::NIC_HANGS,
            pci = %nic,
            "reading it hangs for {patience} s: it stays as it was until it answers"
        );
        Err(None)
    }

    fn progress(&self) -> ScanProgress {
        let hanging = self.hanging.iter().filter_map(|hanging| hanging.at);
        ScanProgress::passing_over(hanging.map(|address| (address, self.known.get(&address).cloned())))
    }

    fn forget_ended(&mut self) {
        self.hanging.retain(|hanging| {
            let ended = hanging.task.is_finished();
            if let Some(nic) = hanging.at.filter(|_| ended) {
                tracing::info!(pci = %nic, "it answers again");
            }
            !ended
        });
    }
}
