//! Whether the directories that we write to are still those that we were started with.
//!
//! The unit's sandbox mounts everything read-only but for some directories, and that is fixed when the service starts. A
//! directory that is made or replaced later lies on the read-only side; only another start gives it to us.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use thiserror::Error;

/// A directory, or what is there in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Device and inode; none if it is missing.
    identity: Option<(u64, u64)>,
    is_read_only: bool,
}

/// A directory, and how it was when we started.
#[derive(Debug, Clone)]
pub struct WritableDir {
    directory: PathBuf,
    at_start: Found,
}

/// Whether the nearest directory on the way to this place, or it itself, is read-only for this process.
pub fn is_read_only(place: &Path) -> bool {
    Found::at(place).is_read_only
}

/// The service manager has to make our view of the file system anew.
#[derive(Debug, Error)]
#[error("{} is read-only for this process, as it was made or replaced after the start: start again", .0.display())]
pub struct StaleSandbox(PathBuf);

impl WritableDir {
    /// Remembers how the directory is now.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            at_start: Found::at(directory),
        }
    }

    /// To be asked when a write has failed.
    ///
    /// # Errors
    /// The directory is read-only, and another start could help. One that was there and read-only from the start stays so,
    /// however often we start.
    pub fn check(&self) -> Result<(), StaleSandbox> {
        let now = Found::at(&self.directory);
        if now.is_read_only && now != self.at_start {
            return Err(StaleSandbox(self.directory.clone()));
        }
        Ok(())
    }
}

impl Found {
    fn at(directory: &Path) -> Self {
        let nearest = directory.ancestors().find(|ancestor| ancestor.exists());
        let flags = nearest
            .and_then(|nearest| statvfs(nearest).ok())
            .map(|file_system| file_system.flags());
        Self {
            identity: directory.metadata().ok().map(|found| (found.dev(), found.ino())),
            is_read_only: flags.is_some_and(|flags| flags.contains(FsFlags::ST_RDONLY)),
        }
    }
}
