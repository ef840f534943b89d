//! inotify on the directories whose entries matter: device nodes, libraries, CDI specs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use inotify::{Event, EventMask, EventStream, Inotify, WatchMask};
use tokio_stream::StreamExt;

use super::Listen;
use crate::trigger::Trigger;

/// What a directory is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Device nodes. Their contents are never watched: every write to `/dev/null` would wake us.
    Nodes,
    /// Shared objects of libfabric and libcxi, or directories with them.
    Libraries,
    /// CDI specs.
    Specs,
}

impl Content {
    fn mask(self) -> WatchMask {
        let entries = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ATTRIB;
        let directory = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR;
        match self {
            Self::Nodes => entries | directory,
            Self::Libraries | Self::Specs => entries | directory | WatchMask::MODIFY,
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
        }
    }
}

/// Watches directories.
pub struct Files {
    events: EventStream<[u8; 4096]>,
    watched: BTreeMap<i32, (PathBuf, Content)>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("watched", &self.watched)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Watches these directories as far as they are there; one that is watched already stays so.
    ///
    /// # Errors
    /// The first directory that is there and cannot be watched; the others are.
    pub fn watch(&mut self, places: &[(PathBuf, Content)]) -> io::Result<()> {
        let mut first_error = Ok(());
        for (directory, content) in places {
            match self.events.watches().add(directory, content.mask()) {
                Ok(watch) => {
                    let place = (directory.clone(), *content);
                    self.watched.insert(watch.get_watch_descriptor_id(), place);
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    let said = format!("{}: {error}", directory.display());
                    first_error = first_error.and(Err(io::Error::new(error.kind(), said)));
                }
            }
        }
        first_error
    }

    /// What an event asks for.
    fn trigger(&mut self, event: &Event<impl AsRef<OsStr>>) -> Option<Trigger> {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            return Some(Trigger::Overflow(Self::NAME));
        }
        let watch = event.wd.get_watch_descriptor_id();
        let (directory, content) = self.watched.get(&watch)?;
        let path = match &event.name {
            None => directory.clone(),
            Some(name) => {
                let name = Path::new(name.as_ref());
                name.to_str().filter(|name| content.includes(name))?;
                directory.join(name)
            }
        };
        // The directory has gone, and its watch with it; a new one is watched with the next scan.
        if event.mask.contains(EventMask::IGNORED) {
            self.watched.remove(&watch);
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
            watched: BTreeMap::new(),
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
            (Content::Nodes, "cxi10", "null"),
            (Content::Libraries, "libcxi.so.1", "libc.so.6"),
            (Content::Specs, "hpe.com-cxi.yaml", ".hpe.com-cxi.yaml.Zx81.tmp"),
        ] {
            assert!(content.includes(ours) && !content.includes(foreign), "{content:?}");
        }
    }
}
