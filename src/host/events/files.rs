//! inotify on the directories whose entries matter: device nodes and links to them, libraries, CDI specs, cordons; and on the ways to them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use inotify::WatchMask;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::source::Listen;
use crate::host::files::path_watch::{Change, Content, PathEvents, PathWatcher};
use crate::host::worker::{NotDone, Worker};
use crate::model::isolation::record;
use crate::model::nic::pci::PciAddress;
use crate::model::trigger::Trigger;

/// A directory that goes one way or another is mostly made anew by whoever moved it: `mv`, then `mkdir`.
const REPLACEMENT: Duration = Duration::from_millis(50);
/// How long it may take to see where all places lead.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a directory is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchedContent {
    /// Links from PCI addresses to device nodes.
    Links,
    /// Device nodes of NICs. Their contents are never watched: every write to `/dev/null` would wake us.
    Nodes,
    /// One device node that containers get beside them, by its path.
    Companion,
    /// Shared objects of libfabric and libcxi, or directories with them.
    Libraries,
    /// CDI specs.
    Specs,
    /// An admin's orders to keep NICs from pods.
    Cordons,
    /// What isolation says of itself.
    Isolation,
}

impl Content for WatchedContent {
    fn mask(&self) -> WatchMask {
        match self {
            Self::Nodes => WatchMask::ATTRIB,
            // It is a name on the way to itself, and nothing lies below it.
            Self::Companion => WatchMask::empty(),
            // The entries themselves come and go by rename.
            Self::Links | Self::Isolation => WatchMask::empty(),
            Self::Libraries | Self::Specs | Self::Cordons => WatchMask::ATTRIB | WatchMask::MODIFY,
        }
    }

    fn includes(&self, name: &str) -> bool {
        let has_one_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        match self {
            Self::Nodes => has_one_of(&["cxi"]),
            Self::Companion => false,
            // Directories of releases, too: 1.15.2.0.
            Self::Libraries => {
                has_one_of(&["libfabric.so", "libcxi.so", "default"]) || name.starts_with(|c: char| c.is_ascii_digit())
            }
            Self::Specs => !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".json")),
            Self::Isolation => name == record::CONNECTED,
            Self::Links | Self::Cordons => name.parse::<PciAddress>().is_ok(),
        }
    }
}

/// Hears of changes in watched directories, and on the way to them.
#[derive(Debug)]
pub struct Files {
    events: PathEvents<WatchedContent>,
    elsewhere: (mpsc::Sender<PathBuf>, mpsc::Receiver<PathBuf>),
    /// A way has changed; told when whoever did it may have finished.
    unfinished: Option<(Instant, PathBuf)>,
}

/// Watches places.
pub type Watcher = PathWatcher<WatchedContent>;

impl Files {
    /// A handle that watches places.
    pub fn watcher(&self) -> Watcher {
        self.events.watcher()
    }

    /// A directory that is there and could not be watched, and why.
    pub fn problem(&self) -> Option<String> {
        self.events.problem()
    }

    /// Sees, on the thread of `worker`, whether a place leads elsewhere without an event: by a mount, or on a file system that
    /// tells of nothing. Then that is the next trigger.
    pub fn compare(&self, worker: &Worker) {
        let (worker, mut watcher) = (worker.clone(), self.watcher());
        let elsewhere = self.elsewhere.0.clone();
        tokio::spawn(async move {
            match worker.run_within(PATIENCE, move || watcher.watch_again()).await {
                // One that is not heard yet is as good.
                Ok(Some(place)) => drop(elsewhere.try_send(place)),
                Ok(None) => {}
                // Said once for each time.
                Err(hangs @ NotDone::Hangs(_)) => {
                    tracing::warn!("cannot see where the watched directories are: {hangs}");
                }
                Err(not_done) => tracing::debug!("cannot see where the watched directories are: {not_done}"),
            }
        });
    }
}

impl Listen for Files {
    const NAME: &'static str = "changes of files (inotify)";

    fn open() -> io::Result<Self> {
        Ok(Self {
            events: PathEvents::open()?,
            elsewhere: mpsc::channel(1),
            unfinished: None,
        })
    }

    async fn next(&mut self) -> io::Result<Trigger> {
        if self.unfinished.is_none() {
            let change = tokio::select! {
                change = self.events.next() => change?,
                Some(place) = self.elsewhere.1.recv() => Change::Entry(place),
            };
            match change {
                Change::Overflow => return Ok(Trigger::Overflow(Self::NAME)),
                Change::Entry(path) => return Ok(Trigger::Files(path.display().to_string())),
                Change::Way(path) => self.unfinished = Some((Instant::now() + REPLACEMENT, path)),
            }
        }
        if let Some((finished, _)) = &self.unfinished {
            sleep_until(*finished).await;
        }
        let path = self.unfinished.take().map(|(_, path)| path).unwrap_or_default();
        Ok(Trigger::Files(path.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_that_matter_wake_the_daemon() {
        for (content, ours, foreign) in [
            (WatchedContent::Nodes, "cxi10", "null"),
            (WatchedContent::Libraries, "libcxi.so.1", "libc.so.6"),
            (WatchedContent::Specs, "hpe.com-cxi.yaml", ".hpe.com-cxi.yaml.Zx81.tmp"),
            (WatchedContent::Links, "0000:21:00.0", ".0000:21:00.0.tmp"),
            (WatchedContent::Cordons, "0000:21:00.0", ".0000:21:00.0.Zx81.tmp"),
            (WatchedContent::Isolation, "connected", "status.json"),
        ] {
            assert!(content.includes(ours) && !content.includes(foreign), "{content:?}");
        }
    }
}
