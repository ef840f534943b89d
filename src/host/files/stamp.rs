//! Whether files are as they were when they were read: then they need not be read again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What changes within this time may leave the kernel's time stamps as they are: they are a clock tick apart.
const SETTLED: Duration = Duration::from_secs(1);

/// What tells one state of a file or directory from another, wherever a link leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl State {
    /// As it is now; none where nothing can be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            place: (found.dev(), found.ino()),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Whether each later change will show. What is of a clock that was set back does not tell.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = |changed| Some(Duration::from_secs(u64::try_from(changed).ok()?.checked_add(1)?) + SETTLED);
        end(self.changed.0).is_some_and(|end| end <= now)
    }
}

/// The states of some paths, to be taken before they are read.
#[derive(Debug, Clone)]
pub struct Stamp {
    states: Vec<(PathBuf, Option<State>)>,
    is_settled: bool,
}

impl Stamp {
    /// As they are `now`. A directory stands for the names in it, not for what its files say.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>, now: SystemTime) -> Self {
        let states = paths.into_iter().map(|path| (path.to_owned(), State::of(path)));
        let states: Vec<_> = states.collect();
        let is_settled = states
            .iter()
            .all(|(_, state)| state.is_none_or(|state| state.is_settled(now)));
        Self { states, is_settled }
    }

    /// Whether all of them are still as they were, for sure.
    pub fn holds(&self) -> bool {
        self.is_settled && self.states.iter().all(|(path, before)| State::of(path) == *before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_young_may_change_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let now = SystemTime::now();
        let missing = Stamp::of([file.as_path()], now);
        assert!(missing.holds());
        fs::write(&file, "x").unwrap();
        assert!(!missing.holds());
        let state = State::of(&file).unwrap();
        for (changed, settled) in [
            (0, true),
            (998, true),
            (999, false),
            (2000, false),
            (-1, false),
            (i64::MAX, false),
        ] {
            let state = State {
                changed: (changed, 0),
                ..state
            };
            assert_eq!(
                state.is_settled(UNIX_EPOCH + Duration::from_secs(1000)),
                settled,
                "{changed}"
            );
        }
        // It was written just now.
        assert!(!Stamp::of([file.as_path()], now).holds());
        let later = Stamp::of([file.as_path()], now + Duration::from_secs(10));
        assert!(later.holds());
        fs::write(&file, "yz").unwrap();
        assert!(!later.holds());
    }
}
