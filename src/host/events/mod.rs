//! Where triggers come from. Each source is a hint only, so it may fail: then the slow poll finds what it would have told.

mod cxi_errors;
mod files;
mod links;
mod listener;
mod source;
mod uevents;

use std::collections::BTreeSet;
use std::io;

use nix::net::if_::if_nametoindex;

use self::cxi_errors::CxiErrors;
use self::files::Files;
pub use self::files::{WatchedContent, Watcher};
use self::links::Links;
use self::source::{EventSource, Listen};
use self::uevents::Uevents;
use super::files::roots::Roots;
use super::worker::Worker;
use crate::model::message_id;
use crate::model::trigger::Trigger;

/// All sources.
#[derive(Debug)]
pub struct Events {
    uevents: EventSource<Uevents>,
    links: EventSource<Links>,
    cxi_errors: EventSource<CxiErrors>,
    files: EventSource<Files>,
    private_network: Option<String>,
    is_kernel_sysfs: bool,
}

impl Events {
    /// Opens each source; one that cannot be opened is tried again by [`prepare`](Self::prepare).
    pub fn new(roots: &Roots) -> Self {
        Self {
            uevents: EventSource::default(),
            links: EventSource::default(),
            cxi_errors: EventSource::default(),
            files: EventSource::default(),
            private_network: None,
            is_kernel_sysfs: roots.is_kernel_sysfs(),
        }
    }

    /// Before a scan: opens what is lost. What is returned watches directories; it does so before the scan, too, so that
    /// nothing is missed after it.
    pub fn prepare(&mut self) -> Option<Watcher> {
        self.uevents.open();
        self.links.open();
        self.cxi_errors.open();
        self.files.open();
        self.files.listener.as_ref().map(Files::watcher)
    }

    /// Without an event: has every watched place looked at again by `worker`, and waits for nothing.
    pub fn compare(&self, worker: &Worker) {
        if let Some(files) = &self.files.listener {
            files.compare(worker);
        }
    }

    /// After a scan: takes stock, and hears the link messages of these interfaces.
    pub fn follow(&mut self, interfaces: BTreeSet<String>) {
        self.note_private_network(&interfaces);
        if let Some(files) = &self.files.listener {
            let watched = files.problem().map_or(Ok(()), |problem| Err(io::Error::other(problem)));
            self.files.note(watched);
        }
        if let Some(links) = &mut self.links.listener {
            links.follow(interfaces);
        }
    }

    /// sysfs shows the interfaces of the network namespace that it was mounted in, netlink those of ours.
    fn note_private_network(&mut self, interfaces: &BTreeSet<String>) {
        let is_elsewhere = |interface: &String| if_nametoindex(interface.as_str()).is_err();
        // They are in one namespace: once it is known to be another, one of them tells.
        let asked = self.private_network.as_ref().map_or(interfaces.len(), |_| 1);
        match interfaces.first() {
            Some(first) if interfaces.iter().take(asked).all(is_elsewhere) => {
                let reason = format!("in a private network namespace: {first} is not in it");
                let news = format!(
                    "{reason}: no link messages, interface uevents and driver error messages of the host; \
                     the slow poll (--pulse) takes their place"
                );
                match (&self.private_network, self.is_kernel_sysfs) {
                    (None, true) => tracing::warn!(message_id = message_id::SOURCE_LOST, reason, "{news}"),
                    // The interfaces of an emulated node are nowhere.
                    (None, false) => tracing::info!("{news}"),
                    (Some(_), _) => {}
                }
                self.private_network = Some(reason);
            }
            Some(_) => self.private_network = None,
            None => {} // no NIC, no evidence
        }
    }

    /// Waits for the next trigger.
    pub async fn next(&mut self) -> Trigger {
        tokio::select! {
            trigger = self.uevents.next() => trigger,
            trigger = self.links.next() => trigger,
            trigger = self.cxi_errors.next() => trigger,
            trigger = self.files.next() => trigger,
        }
    }

    /// Every source by name, and why it is not heard, or not wholly.
    pub fn sources(&self) -> [(&'static str, Option<&str>); 4] {
        let private = self.private_network.as_deref();
        [
            (Uevents::NAME, self.uevents.lost.as_deref().or(private)),
            (Links::NAME, self.links.lost.as_deref().or(private)),
            (CxiErrors::NAME, self.cxi_errors.lost.as_deref().or(private)),
            (Files::NAME, self.files.lost.as_deref()),
        ]
    }

    /// The sources by short names, for programs, and whether each is heard wholly.
    pub fn heard(&self) -> [(&'static str, bool); 4] {
        let [uevents, links, errors, files] = self.sources().map(|(_, lost)| lost.is_none());
        [
            ("uevents", uevents),
            ("links", links),
            ("driver-errors", errors),
            ("files", files),
        ]
    }
}
