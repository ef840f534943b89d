//! What is watched, and what is told of it.

use std::fmt;
use std::path::{self, Path, PathBuf};

use inotify::WatchMask;

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
    pub(super) top: PathBuf,
    /// Below `top`.
    pub(super) path: PathBuf,
    pub(super) content: C,
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

    pub(super) fn is_of_kernel(&self) -> bool {
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

/// Where a path of the host is for us.
pub(super) fn below(top: &Path, path: &Path) -> PathBuf {
    top.join(path.strip_prefix("/").unwrap_or(path))
}
