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
        let Some(links) = self.links.clone() else {
            return LinkFaults::new();
        };
        let (job, ours) = (Arc::clone(&links), Arc::clone(wanted));
        let kept = self.worker.run_within(PATIENCE, move || job.keep(&ours)).await;
        let kept = kept.unwrap_or_else(|not_done| undone(&links, wanted, &not_done));
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

    /// After kubelet has heard that all others are gone.
    pub async fn remove_others(&mut self, wanted: &Arc<Links>) {
        let Some(links) = self.links.clone() else { return };
        let wanted = Arc::clone(wanted);
        let job = move || links.remove_others(&wanted).map_err(anyhow::Error::msg);
        // Where they cannot even be kept, that is said already.
        if let Ok(went) = self.worker.run_within(PATIENCE, job).await
            && !self.keeping.is_open()
        {
            self.removing.note(went);
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
