//! inotify on one directory, as a hint to look again.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use inotify::{EventStream, Inotify, WatchMask};
use tokio::sync::watch;
use tokio_stream::StreamExt;

/// How soon a missing directory, or one that cannot be watched, is looked at again.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(1);

/// A directory that may not be there yet, or be made anew.
#[derive(Debug)]
pub struct DirectoryWatch {
    directory: PathBuf,
    tick: watch::Receiver<()>,
    events: Option<EventStream<[u8; 4096]>>,
    told: bool,
}

impl DirectoryWatch {
    /// Begins to watch. Events get lost (queue overflow, a watch armed late), so every change of `tick` counts as one.
    pub fn new(directory: PathBuf, tick: watch::Receiver<()>) -> Self {
        let mut watch = Self {
            directory,
            tick,
            events: None,
            told: false,
        };
        watch.arm();
        watch
    }

    /// Returns when something in the directory may have changed. Says nothing of what.
    pub async fn changed(&mut self) {
        if self.events.is_none() && self.arm() {
            return; // what happened before the watch was armed is news as well
        }
        let Some(events) = &mut self.events else {
            return tokio::time::sleep(UNWATCHED_INTERVAL).await;
        };
        let event = tokio::select! {
            event = events.next() => event,
            Ok(()) = self.tick.changed() => return,
        };
        match event {
            // The watch of a removed directory ends with IGNORED; an overflow or error is a reason to look, too.
            Some(Ok(event)) if !event.mask.contains(inotify::EventMask::IGNORED) => {}
            _ => self.events = None,
        }
    }

    /// Whether the directory is watched now. Says once that it cannot be.
    fn arm(&mut self) -> bool {
        match watch(&self.directory) {
            Ok(events) => {
                self.events = Some(events);
                self.told = false;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound || self.told => {}
            Err(error) => {
                let (directory, seconds) = (self.directory.display(), UNWATCHED_INTERVAL.as_secs());
                tracing::warn!("cannot watch {directory}: {error}; looking at it every {seconds} s");
                self.told = true;
            }
        }
        self.events.is_some()
    }
}

fn watch(directory: &PathBuf) -> io::Result<EventStream<[u8; 4096]>> {
    let inotify = Inotify::init()?;
    let mask = WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::MOVE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR;
    inotify.watches().add(directory, mask)?;
    inotify.into_event_stream([0; 4096])
}
