//! inotify on the directories whose entries matter: device nodes, libraries, CDI specs, cordons.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inotify::{Event, EventMask, EventStream, Inotify, WatchMask, Watches};
use tokio_stream::StreamExt;

use super::source::Listen;
use crate::model::nic::pci::PciAddress;
use crate::model::trigger::Trigger;

/// What a directory is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchedContent {
    /// Device nodes. Their contents are never watched: every write to `/dev/null` would wake us.
    Nodes,
    /// Shared objects of libfabric and libcxi, or directories with them.
    Libraries,
    /// CDI specs.
    Specs,
    /// An admin's orders to keep NICs from pods.
    Cordons,
}

impl WatchedContent {
    fn mask(self) -> WatchMask {
        let entries = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ATTRIB;
        let directory = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR;
        match self {
            Self::Nodes => entries | directory,
            Self::Libraries | Self::Specs | Self::Cordons => entries | directory | WatchMask::MODIFY,
        }
    }

    /// Whether an entry of this name matters.
    fn includes(self, name: &str) -> bool {
        let has_one_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        match self {
            Self::Nodes => has_one_of(&["cxi", "xpmem", "gdrdrv"]),
            // Directories of versions, too: 1.15.2.0.
            Self::Libraries => {
                has_one_of(&["libfabric.so", "libcxi.so"]) || name.starts_with(|c: char| c.is_ascii_digit())
            }
            Self::Specs => !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".json")),
            Self::Cordons => name.parse::<PciAddress>().is_ok(),
        }
    }
}

/// Hears of changes in watched directories.
pub struct Files {
    events: EventStream<[u8; 4096]>,
    shared: Arc<Mutex<Shared>>,
}

/// Adds directories. It may hang where a directory does, so it is for threads that may.
#[derive(Clone)]
pub struct Watcher {
    watches: Watches,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    watched: BTreeMap<i32, (PathBuf, WatchedContent)>,
    problem: Option<String>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher {
    /// Watches these directories as far as they are there; one that is watched already stays so.
    pub fn watch(&mut self, places: &[(PathBuf, WatchedContent)]) {
        let mut problem = None;
        for (directory, content) in places {
            match self.watches.add(directory, content.mask()) {
                Ok(watch) => {
                    let place = (directory.clone(), *content);
                    lock(&self.shared)
                        .watched
                        .insert(watch.get_watch_descriptor_id(), place);
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => problem = problem.or_else(|| Some(format!("{}: {error}", directory.display()))),
            }
        }
        lock(&self.shared).problem = problem;
    }
}

impl Files {
    /// A handle that adds directories.
    pub fn watcher(&self) -> Watcher {
        Watcher {
            watches: self.events.watches(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// A directory that is there and could not be watched, and why.
    pub fn problem(&self) -> Option<String> {
        lock(&self.shared).problem.clone()
    }

    /// What an event asks for.
    fn trigger(&self, event: &Event<impl AsRef<OsStr>>) -> Option<Trigger> {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            return Some(Trigger::Overflow(Self::NAME));
        }
        let watch = event.wd.get_watch_descriptor_id();
        let (directory, content) = lock(&self.shared).watched.get(&watch)?.clone();
        let path = match &event.name {
            None => directory,
            Some(name) => {
                let name = Path::new(name.as_ref());
                name.to_str().filter(|name| content.includes(name))?;
                directory.join(name)
            }
        };
        // The directory has gone, and its watch with it; a new one is watched with the next scan.
        if event.mask.contains(EventMask::IGNORED) {
            lock(&self.shared).watched.remove(&watch);
        }
        Some(Trigger::Files(path.display().to_string()))
    }
}

/// Nothing there, or no directory: nothing to be watched.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Listen for Files {
    const NAME: &'static str = "changes of files (inotify)";

    fn open() -> io::Result<Self> {
        Ok(Self {
            events: Inotify::init()?.into_event_stream([0; 4096])?,
            shared: Arc::default(),
        })
    }

    async fn next(&mut self) -> io::Result<Trigger> {
        loop {
            let event = self.events.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
            if let Some(trigger) = self.trigger(&event) {
                return Ok(trigger);
            }
        }
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
            (WatchedContent::Cordons, "0000:21:00.0", ".0000:21:00.0.Zx81.tmp"),
        ] {
            assert!(content.includes(ours) && !content.includes(foreign), "{content:?}");
        }
    }
}
