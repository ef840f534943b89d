//! What the daemon counts of itself and shows of its NICs (`docs/metrics.md`). Nothing here reads or writes: see
//! [`export`](crate::export).

mod cdi_write;
pub mod exported_nic;
mod instruments;
mod nic_series;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use self::cdi_write::CdiWrite;
use self::exported_nic::ExportedNode;
use self::instruments::{Instruments, ResourceInstruments, label};
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::nic::inventory::Inventory;
use crate::model::trigger::Trigger;

/// Counts, when somebody wants to know; off, it counts nothing and holds nothing.
#[derive(Debug, Clone, Default)]
pub struct Meter(Option<Arc<Instruments>>);

/// Counts what has to do with kubelet, for one resource.
#[derive(Debug, Clone, Default)]
pub struct ResourceMeter(Option<Arc<ResourceInstruments>>);

impl Meter {
    /// Counts from now on; `start` is the time in seconds since 1970.
    pub fn on(resource: &ResourceName, start: u64) -> Self {
        Self(Some(Arc::new(Instruments::new(resource, start))))
    }

    /// What counts for the resource.
    pub fn resource(&self) -> ResourceMeter {
        ResourceMeter(self.0.as_ref().map(|on| Arc::clone(&on.resource)))
    }

    /// Something asks for a look at the node.
    pub fn triggered(&self, trigger: &Trigger) {
        let Some(on) = &self.0 else { return };
        on.triggers.get_or_create(&label("trigger", trigger.kind())).inc();
    }

    /// A look at the node has ended, what it led to included.
    pub fn looked(&self, took: Duration, sources: [(&'static str, bool); 4]) {
        let Some(on) = &self.0 else { return };
        on.scan_duration.observe(took.as_secs_f64());
        for (source, is_heard) in sources {
            on.set(&on.sources.get_or_create(&label("source", source)), is_heard.into());
        }
    }

    /// Whether the node could be looked at, and whether the CDI file says what was seen.
    pub fn current(&self, node: bool, cdi: bool) {
        let Some(on) = &self.0 else { return };
        on.set(&on.scan_success, node.into());
        on.set(&on.cdi_current, cdi.into());
    }

    /// The CDI file was to change.
    pub fn cdi(&self, write: CdiWrite) {
        let Some(on) = &self.0 else { return };
        on.cdi_writes.get_or_create(&label("result", write.label())).inc();
        on.news.notify_one();
    }

    /// What a scan found, and what is published of it.
    pub fn published(&self, inventory: &Inventory, snapshot: &Snapshot) {
        let Some(on) = &self.0 else { return };
        let view = ExportedNode::new(inventory, snapshot);
        on.set_count(&on.not_offered, view.nics.len() - view.offered().count());
        let is_news = on.view.send_if_modified(|current| {
            let is_news = **current != view;
            if is_news {
                *current = Arc::new(view);
            }
            is_news
        });
        if is_news {
            on.news.notify_one();
        }
    }

    /// Names in the static CDI directory that resolve to what is gone or has become another NIC's.
    pub fn stale_names(&self, count: usize) {
        let Some(on) = &self.0 else { return };
        on.set_count(&on.stale_names, count);
    }

    /// The view, now and later; none when off.
    pub fn views(&self) -> Option<watch::Receiver<Arc<ExportedNode>>> {
        self.0.as_ref().map(|on| on.view.subscribe())
    }

    /// Waits until there is something new to read. That the node was looked at is not: it happens when nothing does.
    pub async fn news(&self) {
        match &self.0 {
            Some(on) => on.news.notified().await,
            None => std::future::pending().await,
        }
    }

    /// All metrics as text; empty when off.
    pub fn text(&self) -> String {
        self.0.as_ref().map(|on| on.text()).unwrap_or_default()
    }
}

impl ResourceMeter {
    /// Kubelet has accepted us and listens.
    pub fn registered(&self) {
        let Some(on) = &self.0 else { return };
        on.registered.set(1);
        on.accepted.inc();
        on.news.notify_one();
    }

    /// A registration is over, or never came about.
    pub fn ended(&self, was_live: bool) {
        let Some(on) = &self.0 else { return };
        if !was_live {
            on.failed.inc();
        }
        on.registered.set(0);
        on.news.notify_one();
    }

    /// An Allocate call was answered.
    pub fn allocated(&self, took: Duration, granted: bool) {
        let Some(on) = &self.0 else { return };
        on.allocate_duration.observe(took.as_secs_f64());
        if granted { &on.granted } else { &on.refused }.inc();
        on.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether somebody who waits for news would be woken; takes the news.
    async fn is_news(meter: &Meter) -> bool {
        tokio::select! {
            biased;
            () = meter.news() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn a_look_that_finds_nothing_new_is_no_news() {
        let meter = Meter::on(&ResourceName::default(), 0);
        let look = |meter: &Meter, heard: bool| {
            meter.triggered(&Trigger::Pulse);
            meter.published(&Inventory::default(), &Snapshot::default());
            meter.current(true, true);
            meter.looked(Duration::ZERO, [("uevents", heard); 4]);
            meter.stale_names(0);
        };
        look(&meter, true);
        assert!(is_news(&meter).await, "the first look");
        look(&meter, true);
        assert!(!is_news(&meter).await, "the same again");
        look(&meter, false);
        assert!(is_news(&meter).await, "a source is lost");
        meter.resource().allocated(Duration::ZERO, true);
        assert!(is_news(&meter).await, "an allocation");
        assert!(!is_news(&meter).await, "it is taken");
    }
}
