//! What is watched, for whom, and what an event of it means.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use inotify::{Event, EventMask, WatchDescriptor};

use super::place::{Change, Content, Place, below};

const WAY_EVENTS: EventMask = EventMask::CREATE
    .union(EventMask::DELETE)
    .union(EventMask::MOVED_FROM)
    .union(EventMask::MOVED_TO);

/// Device and inode.
pub(super) type Identity = (u64, u64);

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
pub(super) struct Watched<C> {
    descriptor: WatchDescriptor,
    directory: PathBuf,
    roles: Vec<Role<C>>,
}

/// Where the way of a place ends, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub path: PathBuf,
    pub identity: Option<Identity>,
}

impl End {
    /// As it is now.
    pub(super) fn at(path: PathBuf) -> Self {
        let identity = identity(&path);
        Self { path, identity }
    }

    /// Nothing is there.
    pub(super) fn nowhere(path: PathBuf) -> Self {
        Self { path, identity: None }
    }

    /// Whether the path leads where it led. It may hang.
    pub(super) fn is_as_it_was(&self) -> bool {
        identity(&self.path) == self.identity
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[derive(Debug)]
pub(super) struct Shared<C> {
    pub watched: BTreeMap<i32, Watched<C>>,
    pub places: Vec<(Place<C>, End)>,
    pub problems: Vec<(C, String)>,
    /// Counts what was asked for.
    pub asked: u64,
    /// Something has happened on a way since the places were asked for.
    is_stale: bool,
}

impl<C> Default for Shared<C> {
    fn default() -> Self {
        Self {
            watched: BTreeMap::new(),
            places: Vec::new(),
            problems: Vec::new(),
            asked: 0,
            is_stale: true,
        }
    }
}

pub(super) fn lock<C>(shared: &Mutex<Shared<C>>) -> MutexGuard<'_, Shared<C>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Content> Shared<C> {
    pub(super) fn note(&mut self, descriptor: WatchDescriptor, directory: &Path, name: Option<&OsStr>, content: &C) {
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

    /// The ends of these places, if each of them is watched, and no other for the same, and no event says that one may lead
    /// elsewhere; else they are to be watched from now on.
    pub(super) fn watched_ends(&mut self, places: &[Place<C>]) -> Option<Vec<End>> {
        let is_stale = std::mem::take(&mut self.is_stale) || !self.problems.is_empty();
        let is_meant = |content: &C| places.iter().any(|place| place.content == *content);
        let known = self.places.iter().filter(|(place, _)| is_meant(&place.content));
        let (known, ends): (Vec<_>, Vec<_>) = known.map(|(place, end)| (place, end.clone())).unzip();
        let is_known = known.iter().copied().eq(places);
        (is_known && !is_stale).then_some(ends)
    }

    /// Forgets what has not been asked for since `began`. Returns a place that leads elsewhere than before, and the watches
    /// that are of no more use.
    pub(super) fn settle(
        &mut self,
        began: u64,
        found: Vec<(Place<C>, End)>,
        problems: Vec<(C, String)>,
    ) -> (Option<PathBuf>, Vec<WatchDescriptor>) {
        let is_meant = |content: &C| found.iter().any(|(place, _)| place.content == *content);
        let is_elsewhere = |(place, end): &&(Place<C>, End)| {
            let mut known = self.places.iter();
            known.any(|(known, before)| known == place && before.identity != end.identity)
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
    pub(super) fn change(&mut self, event: &Event<impl AsRef<OsStr>>) -> Option<Change> {
        let change = self.meaning(event);
        self.is_stale |= matches!(change, Some(Change::Way(_) | Change::Overflow));
        change
    }

    fn meaning(&mut self, event: &Event<impl AsRef<OsStr>>) -> Option<Change> {
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
