//! Where tests put their nodes.

use std::path::Path;

use super::error::{Context, Result};

/// A new temporary directory, in memory where that is possible. It is removed when the value is dropped.
///
/// A node has hundreds of small files. ext4 does not use a deleted inode again for some seconds and searches past all
/// of them, so building and removing nodes over and over takes 100 ms a NIC there; on tmpfs a NIC takes a few.
///
/// # Errors
/// [`super::Error::Io`] when neither `/dev/shm` nor the temporary directory can be written.
pub fn scratch_dir() -> Result<tempfile::TempDir> {
    let temporary = std::env::temp_dir();
    tempfile::tempdir_in(Path::new("/dev/shm"))
        .or_else(|_| tempfile::tempdir_in(&temporary))
        .context("make a directory in", &temporary)
}
