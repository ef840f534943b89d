//! One directory, as a hint to look again: its entries, and the way to it. All that may hang is done on a thread of its own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inotify::WatchMask;
use tokio::sync::watch;
use tokio::time::sleep;

use super::path_watch::{Change, Content, PathEvents, Place};
use crate::host::worker::Worker;

/// How soon a missing directory, or one that cannot be watched, is looked at again: a mount is no event.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(1);
/// How long it may take to ask for watches.
const PATIENCE: Duration = Duration::from_secs(2);

/// A directory that may not be there yet, be made anew, or reached through a link that is re-pointed.
#[derive(Debug)]
pub struct DirectoryWatch(watch::Receiver<()>);

impl DirectoryWatch {
    /// Begins to watch; every entry matters. Events get lost (queue overflow, a mount), so every change of `tick` counts as
    /// one, and is the time to see whether the path leads elsewhere.
    pub fn new(directory: PathBuf, tick: watch::Receiver<()>) -> Self {
        Self::of_names(&directory, tick, |_| true)
    }

    /// The same, but only entries of these names matter.
    pub fn of_names(
        directory: &Path,
        tick: watch::Receiver<()>,
        includes: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (changes, changed) = watch::channel(());
        let place = Place::new(directory, Entries(Arc::new(includes)));
        let keeper = Keeper {
            place,
            worker: Worker::new("directory-watch"),
            events: None,
            is_there: false,
            told: false,
        };
        tokio::spawn(keeper.run(tick, changes));
        Self(changed)
    }

    /// Returns when something in the directory may have changed. Says nothing of what. Changes that follow each other
    /// closely are one.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            sleep(UNWATCHED_INTERVAL).await;
        }
    }
}

/// Entries whose names matter.
#[derive(Clone)]
struct Entries(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries")
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Content for Entries {
    fn mask(&self) -> WatchMask {
        WatchMask::ATTRIB
    }

    fn includes(&self, name: &str) -> bool {
        (self.0)(name)
    }
}

/// Keeps the directory watched as long as somebody wants to know.
struct Keeper {
    place: Place<Entries>,
    worker: Worker,
    events: Option<PathEvents<Entries>>,
    is_there: bool,
    told: bool,
}

impl Keeper {
    async fn run(mut self, mut tick: watch::Receiver<()>, changes: watch::Sender<()>) {
        loop {
            self.arm().await;
            // What happened before is news as well.
            changes.send_replace(());
            loop {
                tokio::select! {
                    () = changes.closed() => return,
                    is_entry = self.next() => if is_entry {
                        changes.send_replace(());
                        continue;
                    },
                    Ok(()) = tick.changed() => {}
                    () = sleep(UNWATCHED_INTERVAL), if self.events.is_none() || !self.is_there => {}
                }
                break;
            }
        }
    }

    /// Whether it is an entry that has changed; else the directory has to be watched anew.
    async fn next(&mut self) -> bool {
        let Some(events) = &mut self.events else {
            return std::future::pending().await;
        };
        match events.next().await {
            Ok(change) => matches!(change, Change::Entry(_)),
            Err(_) => {
                self.events = None;
                false
            }
        }
    }

    /// Watches the directory, wherever the path leads now. Says once that it cannot be.
    async fn arm(&mut self) {
        let armed = self.try_arm().await;
        if let Err(reason) = &armed
            && !self.told
        {
            let seconds = UNWATCHED_INTERVAL.as_secs();
            tracing::warn!("cannot watch {}: {reason}; looking at it every {seconds} s", self.place);
        }
        self.told = armed.is_err();
        self.is_there = armed.unwrap_or(false);
    }

    /// Whether the directory is there.
    async fn try_arm(&mut self) -> Result<bool, String> {
        let said = |error: io::Error| error.to_string();
        let events = match self.events.take() {
            Some(events) => events,
            None => PathEvents::open().map_err(said)?,
        };
        let mut watcher = events.watcher();
        self.events = Some(events);
        let place = self.place.clone();
        let watch = move || {
            watcher.watch(std::slice::from_ref(&place));
            watcher.is_there(&place)
        };
        let is_there = self.worker.run_within(PATIENCE, watch).await;
        let is_there = is_there.map_err(|not_done| not_done.to_string())?;
        let problem = self.events.as_ref().and_then(PathEvents::problem);
        problem.map_or(Ok(is_there), Err)
    }
}
