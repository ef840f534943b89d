//! What inotify tells, batch by batch.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use inotify::{EventStream, Inotify};
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;

use super::ledger::{Shared, lock};
use super::place::{Change, Content};
use super::watcher::PathWatcher;

/// Of events that follow each other closely, those within this time are read together: a storm of foreign names must not
/// keep the daemon awake.
const SETTLE: Duration = Duration::from_millis(50);
/// So many events are read at most before others have their turn.
const BATCH: usize = 4096;
/// Hears of changes in and on the way to the places of its watcher.
pub struct PathEvents<C> {
    events: EventStream<[u8; 4096]>,
    shared: Arc<Mutex<Shared<C>>>,
    read: Option<Instant>,
    quiet_until: Option<Instant>,
}

impl<C: fmt::Debug> fmt::Debug for PathEvents<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathEvents")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<C: Content> PathEvents<C> {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The system has no inotify for us.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            events: Inotify::init()?.into_event_stream([0; 4096])?,
            shared: Arc::default(),
            read: None,
            quiet_until: None,
        })
    }

    /// A handle that asks for watches.
    pub fn watcher(&self) -> PathWatcher<C> {
        PathWatcher {
            watches: self.events.watches(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// A directory that is there and could not be watched, and why.
    pub fn problem(&self) -> Option<String> {
        lock(&self.shared).problems.first().map(|(_, problem)| problem.clone())
    }

    /// Waits for a change: the first is told at once, those that follow closely together. Of several, the one that asks for
    /// the most is told.
    ///
    /// # Errors
    /// There are no more events to be had.
    pub async fn next(&mut self) -> io::Result<Change> {
        loop {
            if let Some(quiet_until) = self.quiet_until {
                sleep_until(quiet_until).await;
                self.quiet_until = None;
            }
            let change = std::future::poll_fn(|context| self.poll_batch(context)).await?;
            let now = Instant::now();
            let is_close = self.read.is_some_and(|before| now < before + 2 * SETTLE);
            self.quiet_until = is_close.then(|| now + SETTLE);
            self.read = Some(now);
            if let Some(change) = change {
                return Ok(change);
            }
        }
    }

    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Change>>> {
        let mut change = None;
        for count in 0..BATCH {
            match Pin::new(&mut self.events).poll_next(context) {
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(Some(Ok(event))) => change = change.max(lock(&self.shared).change(&event)),
            }
        }
        Poll::Ready(Ok(change))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use inotify::WatchMask;
    use tempfile::TempDir;

    use super::*;
    use crate::host::files::path_watch::Place;

    #[derive(Debug, Clone, PartialEq)]
    struct Ours;

    impl Content for Ours {
        fn mask(&self) -> WatchMask {
            WatchMask::ATTRIB
        }

        fn includes(&self, name: &str) -> bool {
            name.starts_with("ours")
        }
    }

    /// `link` -> `real`, with `real/directory`, watched by the link.
    fn watched() -> (TempDir, PathEvents<Ours>, PathWatcher<Ours>, Place<Ours>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("real/directory")).unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        let events = PathEvents::open().unwrap();
        let mut watcher = events.watcher();
        let place = Place::new(&folder.path().join("link/directory"), Ours);
        assert_eq!(watcher.watch(std::slice::from_ref(&place)), None);
        (folder, events, watcher, place)
    }

    fn count(events: &PathEvents<Ours>) -> usize {
        lock(&events.shared).watched.len()
    }

    #[tokio::test]
    async fn of_a_storm_one_change_is_told_and_of_foreign_names_none() {
        let (folder, mut events, _watcher, _place) = watched();
        let real = folder.path().join("real/directory");
        for round in 0..500 {
            fs::write(real.join("foreign"), "").unwrap();
            fs::rename(real.join("foreign"), real.join("other")).unwrap();
            fs::write(folder.path().join(format!("foreign{round}")), "").unwrap();
        }
        fs::write(real.join("ours1"), "").unwrap();
        assert_eq!(events.next().await.unwrap(), Change::Entry(real_path(&folder, "ours1")));
        for _ in 0..500 {
            fs::rename(real.join("ours1"), real.join("ours2")).unwrap();
            fs::rename(real.join("ours2"), real.join("ours1")).unwrap();
        }
        assert!(matches!(events.next().await.unwrap(), Change::Entry(_)));
        fs::write(real.join("ours3"), "").unwrap();
        assert_eq!(events.next().await.unwrap(), Change::Entry(real_path(&folder, "ours3")));
    }

    #[tokio::test]
    async fn what_follows_closely_waits_for_the_settle_time() {
        let (folder, mut events, _watcher, _place) = watched();
        fs::write(folder.path().join("real/directory/ours1"), "").unwrap();
        events.next().await.unwrap();
        assert_eq!(events.quiet_until, None, "the first of a while is followed by nothing");
        let began = Instant::now();
        // However slow this test is, the one before is not long ago.
        events.read = Some(began + Duration::from_secs(3600));
        fs::write(folder.path().join("real/directory/ours2"), "").unwrap();
        events.next().await.unwrap();
        let settled = began + Duration::from_millis(50);
        assert!(events.quiet_until.is_some_and(|until| until >= settled));
    }

    /// As it was watched.
    fn real_path(folder: &TempDir, name: &str) -> PathBuf {
        folder.path().join("link/directory").join(name)
    }

    #[tokio::test]
    async fn each_name_on_the_way_is_watched_and_what_is_left_is_not() {
        let (folder, mut events, mut watcher, place) = watched();
        let before = count(&events);
        for round in 0..5 {
            let real = format!("real{round}");
            fs::create_dir_all(folder.path().join(&real).join("directory")).unwrap();
            fs::remove_file(folder.path().join("link")).unwrap();
            symlink(&real, folder.path().join("link")).unwrap();
            assert_eq!(events.next().await.unwrap(), Change::Way(folder.path().join("link")));
            let moved = watcher.watch_again();
            assert_eq!(moved, Some(folder.path().join("link/directory")));
            assert_eq!((watcher.watch_again(), count(&events)), (None, before));
            assert!(watcher.is_there(&place));
            fs::rename(folder.path().join(&real), folder.path().join("aside")).unwrap();
            assert_eq!(events.next().await.unwrap(), Change::Way(folder.path().join(&real)));
            watcher.watch_again();
            assert!(!watcher.is_there(&place) && count(&events) < before);
            fs::rename(folder.path().join("aside"), folder.path().join(&real)).unwrap();
            assert!(matches!(events.next().await.unwrap(), Change::Way(_)));
            watcher.watch_again();
            fs::write(folder.path().join(&real).join("directory/ours"), "").unwrap();
            assert_eq!(events.next().await.unwrap(), Change::Entry(real_path(&folder, "ours")));
        }
    }

    #[tokio::test]
    async fn below_a_prefix_links_lead_where_the_host_would_go() {
        let folder = tempfile::tempdir().unwrap();
        for real in ["top/one", "top/two"] {
            fs::create_dir_all(folder.path().join(real)).unwrap();
        }
        symlink("/one", folder.path().join("top/link")).unwrap();
        let mut events = PathEvents::open().unwrap();
        let mut watcher = events.watcher();
        let place = Place::below(&folder.path().join("top"), Path::new("/link"), Ours);
        watcher.watch(std::slice::from_ref(&place));
        fs::write(folder.path().join("top/one/ours"), "").unwrap();
        let entry = folder.path().join("top/one/ours");
        assert_eq!(events.next().await.unwrap(), Change::Entry(entry));
        fs::rename(folder.path().join("top"), folder.path().join("aside")).unwrap();
        assert!(matches!(events.next().await.unwrap(), Change::Way(_)));
    }
}
