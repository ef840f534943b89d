//! inotify on one directory, as a hint to look again.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use inotify::{EventStream, Inotify, WatchMask};
use tokio_stream::StreamExt;

/// Events get lost (queue overflow, a watch armed late), so a watched directory is looked at now and then, too.
const WATCHED_INTERVAL: Duration = Duration::from_secs(10);
/// How soon a missing directory, or one that cannot be watched, is looked at again.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(1);

/// A directory that may not be there yet, or be made anew.
#[derive(Debug)]
pub struct DirectoryWatch {
    directory: PathBuf,
    events: Option<EventStream<[u8; 4096]>>,
}

impl DirectoryWatch {
    /// Begins to watch.
    pub fn new(directory: PathBuf) -> Self {
        let events = watch(&directory).ok();
        Self { directory, events }
    }

    /// Returns when something in the directory may have changed. Says nothing of what.
    pub async fn changed(&mut self) {
        if self.events.is_none() {
            self.events = watch(&self.directory).ok();
            if self.events.is_some() {
                return; // what happened before the watch was armed is news as well
            }
        }
        let Some(events) = &mut self.events else {
            return tokio::time::sleep(UNWATCHED_INTERVAL).await;
        };
        match tokio::time::timeout(WATCHED_INTERVAL, events.next()).await {
            Err(_elapsed) => {}
            // The watch of a removed directory ends with IGNORED; an overflow or error is a reason to look, too.
            Ok(Some(Ok(event))) if !event.mask.contains(inotify::EventMask::IGNORED) => {}
            Ok(_) => self.events = None,
        }
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
