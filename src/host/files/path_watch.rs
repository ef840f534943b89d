//! inotify on paths: on what a path leads to, and on each directory that holds a name on the way there, links included. So
//! a directory that is renamed away and made anew, or a link that is re-pointed, is news at whatever place of the path.
//!
//! inotify sees neither mounts nor what happens on another machine, so whoever asks for the watches again hears whether a
//! path leads elsewhere than before.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{self, Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use inotify::{Event, EventMask, EventStream, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;

use crate::model::path_walk::walk;

/// Of events that follow each other closely, those within this time are read together: a storm of foreign names must not
/// keep the daemon awake.
const SETTLE: Duration = Duration::from_millis(50);
/// So many events are read at most before others have their turn.
const BATCH: usize = 4096;
/// What tells that a name on the way leads elsewhere.
const WAY: WatchMask = WatchMask::CREATE
    .union(WatchMask::DELETE)
    .union(WatchMask::MOVE)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE_SELF);
const WAY_EVENTS: EventMask = EventMask::CREATE
    .union(EventMask::DELETE)
    .union(EventMask::MOVED_FROM)
    .union(EventMask::MOVED_TO);

/// What a directory is watched for.
pub trait Content: Clone + PartialEq + fmt::Debug + Send + 'static {
    /// Which events of its entries.
    fn mask(&self) -> WatchMask;

    /// Whether an entry of this name matters.
    fn includes(&self, name: &str) -> bool;
}

/// A path that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<C> {
    /// Where absolute links begin: `/`, or where a host's tree is mounted for us.
    top: PathBuf,
    /// Below `top`.
    path: PathBuf,
    content: C,
}

impl<C> Place<C> {
    /// A path as the kernel follows it.
    pub fn new(path: &Path, content: C) -> Self {
        Self {
            top: "/".into(),
            path: path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            content,
        }
    }

    /// A path of the host whose tree is mounted at `top`.
    pub fn below(top: &Path, path: &Path, content: C) -> Self {
        Self {
            top: path::absolute(top).unwrap_or_else(|_| top.to_owned()),
            path: path.to_owned(),
            content,
        }
    }

    fn is_of_kernel(&self) -> bool {
        self.top == Path::new("/")
    }
}

impl<C> fmt::Display for Place<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        below(&self.top, &self.path).display().fmt(f)
    }
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// An entry of a watched directory.
    Entry(PathBuf),
    /// A path may lead elsewhere: watch it again.
    Way(PathBuf),
    /// Events were lost.
    Overflow,
}

/// Device and inode.
type Identity = (u64, u64);

/// What a watched directory is watched for.
#[derive(Debug)]
struct Role<C> {
    content: C,
    /// A name on the way; none where the way ends.
    name: Option<OsString>,
    /// When it was last asked for.
    asked: u64,
}

#[derive(Debug)]
struct Watched<C> {
    descriptor: WatchDescriptor,
    directory: PathBuf,
    roles: Vec<Role<C>>,
}

#[derive(Debug)]
struct Shared<C> {
    watched: BTreeMap<i32, Watched<C>>,
    places: Vec<(Place<C>, Option<Identity>)>,
    problems: Vec<(C, String)>,
    /// Counts what was asked for.
    asked: u64,
}

impl<C> Default for Shared<C> {
    fn default() -> Self {
        Self {
            watched: BTreeMap::new(),
            places: Vec::new(),
            problems: Vec::new(),
            asked: 0,
        }
    }
}

fn lock<C>(shared: &Mutex<Shared<C>>) -> MutexGuard<'_, Shared<C>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches paths. It may hang where one of them does, so it is for threads that may.
pub struct PathWatcher<C> {
    watches: Watches,
    shared: Arc<Mutex<Shared<C>>>,
}

impl<C> Clone for PathWatcher<C> {
    fn clone(&self) -> Self {
        Self {
            watches: self.watches.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for PathWatcher<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathWatcher").finish_non_exhaustive()
    }
}

impl<C: Content> PathWatcher<C> {
    /// Watches these places as far as they are there, and no others with such contents. Returns one that leads elsewhere
    /// than when it was asked for last.
    ///
    /// Each directory is watched before it is looked at, so nothing that happens on the way is missed.
    pub fn watch(&mut self, places: &[Place<C>]) -> Option<PathBuf> {
        let began = lock(&self.shared).asked;
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for place in places {
            let identity = self.follow(place, &mut problems);
            found.push((place.clone(), identity));
        }
        let (moved, dropped) = lock(&self.shared).settle(began, found, problems);
        for descriptor in dropped {
            // The kernel may have dropped it before us.
            let _ = self.watches.remove(descriptor);
        }
        moved
    }

    /// The same for the places of the last time.
    pub fn watch_again(&mut self) -> Option<PathBuf> {
        let places = lock(&self.shared).places.clone();
        let places: Vec<_> = places.into_iter().map(|(place, _)| place).collect();
        self.watch(&places)
    }

    /// Whether this path was there when it was asked for last.
    pub fn is_there(&self, place: &Place<C>) -> bool {
        let shared = lock(&self.shared);
        let mut known = shared.places.iter();
        known.any(|(known, identity)| known == place && identity.is_some())
    }

    fn follow(&mut self, place: &Place<C>, problems: &mut Vec<(C, String)>) -> Option<Identity> {
        let (top, root) = (place.top.as_path(), Path::new("/"));
        if !place.is_of_kernel() {
            self.go(root, top, &place.content, problems)?;
        }
        let end = self.go(top, &place.path, &place.content, problems);
        // Where the kernel follows, it is the one to ask: some links of /proc lead where no text says.
        let here = if place.is_of_kernel() {
            place.path.clone()
        } else {
            below(top, &end?)
        };
        self.add(&here, None, &place.content, problems).ok()?;
        let metadata = fs::metadata(here).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Watches the way along a path below `top`; none if it ends before the path does.
    fn go(&mut self, top: &Path, path: &Path, content: &C, problems: &mut Vec<(C, String)>) -> Option<PathBuf> {
        let walked = walk(path, |name| {
            let here = below(top, name);
            if let (Some(directory), Some(name)) = (here.parent(), here.file_name()) {
                self.add(directory, Some(name), content, problems)?;
            }
            match fs::read_link(&here) {
                Ok(target) => Ok(Some(target)),
                // No link.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
                Err(error) => Err(error),
            }
        });
        walked.ok()
    }

    /// Fails only where there is no such directory.
    fn add(
        &mut self,
        directory: &Path,
        name: Option<&OsStr>,
        content: &C,
        problems: &mut Vec<(C, String)>,
    ) -> io::Result<()> {
        let mask = match name {
            Some(_) => WAY,
            None => WAY | content.mask(),
        };
        // One and the same directory may be a part of many places.
        match self
            .watches
            .add(directory, mask | WatchMask::MASK_ADD | WatchMask::ONLYDIR)
        {
            Ok(descriptor) => lock(&self.shared).note(descriptor, directory, name, content),
            // The end of a way is not always a directory.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory && name.is_none() => {}
            Err(error) if is_absent(&error) => return Err(error),
            Err(error) => problems.push((content.clone(), format!("{}: {error}", directory.display()))),
        }
        Ok(())
    }
}

/// Nothing there, or no directory: nothing to be watched.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn below(top: &Path, path: &Path) -> PathBuf {
    top.join(path.strip_prefix("/").unwrap_or(path))
}

impl<C: Content> Shared<C> {
    fn note(&mut self, descriptor: WatchDescriptor, directory: &Path, name: Option<&OsStr>, content: &C) {
        self.asked += 1;
        let watched = self
            .watched
            .entry(descriptor.get_watch_descriptor_id())
            .or_insert_with(|| Watched {
                descriptor,
                directory: PathBuf::new(),
                roles: Vec::new(),
            });
        directory.clone_into(&mut watched.directory);
        let mut roles = watched.roles.iter_mut();
        match roles.find(|role| role.content == *content && role.name.as_deref() == name) {
            Some(role) => role.asked = self.asked,
            None => watched.roles.push(Role {
                content: content.clone(),
                name: name.map(OsStr::to_owned),
                asked: self.asked,
            }),
        }
    }

    /// Forgets what has not been asked for since `began`. Returns a place that leads elsewhere than before, and the watches
    /// that are of no more use.
    fn settle(
        &mut self,
        began: u64,
        found: Vec<(Place<C>, Option<Identity>)>,
        problems: Vec<(C, String)>,
    ) -> (Option<PathBuf>, Vec<WatchDescriptor>) {
        let is_meant = |content: &C| found.iter().any(|(place, _)| place.content == *content);
        let is_elsewhere = |(place, identity): &&(Place<C>, Option<Identity>)| {
            let mut known = self.places.iter();
            known.any(|(known, before)| known == place && before != identity)
        };
        let moved = found.iter().find(is_elsewhere);
        let moved = moved.map(|(place, _)| below(&place.top, &place.path));
        for watched in self.watched.values_mut() {
            watched
                .roles
                .retain(|role| role.asked > began || !is_meant(&role.content));
        }
        let mut dropped = Vec::new();
        self.watched.retain(|_, watched| {
            let is_needed = !watched.roles.is_empty();
            if !is_needed {
                dropped.push(watched.descriptor.clone());
            }
            is_needed
        });
        self.problems.retain(|(content, _)| !is_meant(content));
        self.problems.extend(problems);
        self.places.retain(|(place, _)| !is_meant(&place.content));
        self.places.extend(found);
        (moved, dropped)
    }

    /// What an event means for the places.
    fn change(&mut self, event: &Event<impl AsRef<OsStr>>) -> Option<Change> {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            return Some(Change::Overflow);
        }
        let id = event.wd.get_watch_descriptor_id();
        let watched = self.watched.get(&id)?;
        let Some(name) = &event.name else {
            let directory = watched.directory.clone();
            // The directory has gone, and its watch with it.
            if event.mask.contains(EventMask::IGNORED) {
                self.watched.remove(&id);
            }
            return Some(Change::Way(directory));
        };
        let name = name.as_ref();
        let is_way = |role: &Role<C>| role.name.as_deref() == Some(name);
        if event.mask.intersects(WAY_EVENTS) && watched.roles.iter().any(is_way) {
            return Some(Change::Way(watched.directory.join(name)));
        }
        let text = name.to_str()?;
        let includes = |role: &Role<C>| role.name.is_none() && role.content.includes(text);
        let is_entry = watched.roles.iter().any(includes);
        is_entry.then(|| Change::Entry(watched.directory.join(name)))
    }
}

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
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

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
