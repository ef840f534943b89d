//! Asks for watches, on each directory of a way.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use inotify::{WatchMask, Watches};

use super::ledger::{End, Shared, lock};
use super::place::{Content, Place, below};
use crate::model::path_walk::walk;

/// What tells that a name on the way leads elsewhere.
const WAY: WatchMask = WatchMask::CREATE
    .union(WatchMask::DELETE)
    .union(WatchMask::MOVE)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE_SELF);

/// Watches paths. It may hang where one of them does, so it is for threads that may.
pub struct PathWatcher<C> {
    pub(super) watches: Watches,
    pub(super) shared: Arc<Mutex<Shared<C>>>,
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
        // Not below: it locks again.
        let watched = lock(&self.shared).watched_ends(places);
        if watched.is_some_and(|ends| ends.iter().all(End::is_as_it_was)) {
            return None;
        }
        let began = lock(&self.shared).asked;
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for place in places {
            let end = self.follow(place, &mut problems);
            found.push((place.clone(), end));
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
        known.any(|(known, end)| known == place && end.identity.is_some())
    }

    fn follow(&mut self, place: &Place<C>, problems: &mut Vec<(C, String)>) -> End {
        let (top, root) = (place.top.as_path(), Path::new("/"));
        let nowhere = End::nowhere(below(top, &place.path));
        if !place.is_of_kernel() && self.go(root, top, &place.content, problems).is_none() {
            return nowhere;
        }
        let here = match self.go(top, &place.path, &place.content, problems) {
            // Where the kernel follows, it is the one to ask: some links of /proc lead where no text says.
            _ if place.is_of_kernel() => place.path.clone(),
            Some(end) => below(top, &end),
            None => return nowhere,
        };
        match self.add(&here, None, &place.content, problems) {
            Ok(()) => End::at(here),
            Err(_) => nowhere,
        }
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
