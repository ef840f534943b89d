//! Has the links from PCI addresses to device nodes kept, on a thread of its own, and says what changes.

use std::sync::Arc;
use std::time::Duration;

use crate::host::failure_log::FailureLog;
use crate::host::files::roots::Roots;
use crate::host::node_links::{Kept, NodeLinks};
use crate::host::worker::{NotDone, Worker};
use crate::model::config::Settings;
use crate::model::config::settings::Enabled;
use crate::model::nic::node_link::{LinkFault, LinkFaults, Links};

/// How long `/dev` may take; one that hangs keeps no news from kubelet.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of keeping links, and of removing others if that was done.
pub type Work = (Kept, Option<Result<(), String>>);

/// Keeps the links while kubelet is served; nobody else is given their names.
#[derive(Debug)]
pub struct LinkKeeper {
    links: Option<Arc<NodeLinks>>,
    worker: Worker,
    keeping: FailureLog,
    removing: FailureLog,
}

impl LinkKeeper {
    /// Calls `on_news` when work that hung has ended.
    pub fn new(settings: &Settings, roots: &Roots, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        let is_needed = settings.kubelet.enabled != Enabled::No;
        Self {
            links: is_needed.then(|| Arc::new(NodeLinks::new(roots))),
            worker: Worker::telling("links", on_news),
            keeping: FailureLog::new(
                "a link by PCI address is not kept, so that pods with device nodes cannot rely on it",
                "the links by PCI address are kept again",
            ),
            removing: FailureLog::new(
                "a link by PCI address stays behind",
                "no link by PCI address stays behind any more",
            ),
        }
    }

    /// Before kubelet hears of these NICs. Returns what is wrong with their links.
    pub async fn keep(&mut self, wanted: &Arc<Links>) -> LinkFaults {
        let work = self.work(wanted, |links, wanted| (links.keep(wanted), None));
        let (kept, _) = work.await;
        self.kept(kept)
    }

    /// After kubelet has heard that all others are gone.
    pub async fn remove_others(&mut self, wanted: &Arc<Links>) {
        let work = self.work(wanted, |links, wanted| {
            (Kept::default(), Some(links.remove_others(wanted)))
        });
        let (_, removed) = work.await;
        self.removed(removed);
    }

    /// Both at once, for when kubelet knows of no others. What is returned does it, beside other work, and its result goes to
    /// [`take`](Self::take).
    pub fn keep_only(&self, wanted: &Arc<Links>) -> impl Future<Output = Work> + use<> {
        self.work(wanted, |links, wanted| {
            (links.keep(wanted), Some(links.remove_others(wanted)))
        })
    }

    /// Says what came of it, and returns what is wrong with the links.
    pub fn take(&mut self, (kept, removed): Work) -> LinkFaults {
        let faults = self.kept(kept);
        self.removed(removed);
        faults
    }

    fn work(&self, wanted: &Arc<Links>, work: fn(&NodeLinks, &Links) -> Work) -> impl Future<Output = Work> + use<> {
        let (links, worker, wanted) = (self.links.clone(), self.worker.clone(), Arc::clone(wanted));
        async move {
            let Some(links) = links else {
                return (Kept::default(), None);
            };
            let (job, ours) = (Arc::clone(&links), Arc::clone(&wanted));
            let done = worker.run_within(PATIENCE, move || work(&job, &ours)).await;
            done.unwrap_or_else(|not_done| (undone(&links, &wanted, &not_done), None))
        }
    }

    fn kept(&mut self, kept: Kept) -> LinkFaults {
        for (link, name) in &kept.changed {
            tracing::info!("{} leads to {name} now", link.display());
        }
        let first = kept.faults.values().next().map(|fault| fault.reason().to_owned());
        let went = first
            .or(kept.left)
            .map_or(Ok(()), |reason| Err(anyhow::Error::msg(reason)));
        self.keeping.note(went);
        kept.faults
    }

    /// Where they cannot even be kept, that is said already.
    fn removed(&mut self, removed: Option<Result<(), String>>) {
        if let Some(removed) = removed
            && !self.keeping.is_open()
        {
            self.removing.note(removed.map_err(anyhow::Error::msg));
        }
    }
}

/// Nobody knows where they lead.
fn undone(links: &NodeLinks, wanted: &Links, not_done: &NotDone) -> Kept {
    let place = links.on_host().display();
    let reason = match not_done {
        // The same words as long as it lasts.
        NotDone::Hangs(_) | NotDone::Busy => format!("{place} does not answer"),
        NotDone::NoThread(_) | NotDone::Ended => format!("{place}: {not_done}"),
    };
    let fault = LinkFault::Wrong(reason);
    Kept {
        faults: wanted.keys().map(|address| (*address, fault.clone())).collect(),
        ..Kept::default()
    }
}
