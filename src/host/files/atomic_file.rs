//! Files that others read while we write: a reader sees the old bytes or the new ones, never a part.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::temporary;

/// Readable for rootless podman, too.
const MODE: u32 = 0o644;
/// The same for a directory that we make.
const DIRECTORY_MODE: u32 = 0o755;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It held these bytes already; nothing was touched.
    Unchanged,
    /// It holds the new bytes now.
    Written,
    /// It is gone now.
    Removed,
    /// It was not there.
    Absent,
}

/// Why a file is still as it was.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Writing through a link would change somebody else's file.
    #[error("{} is a symbolic link: remove it, or name another directory", .0.display())]
    Symlink(PathBuf),
    /// The file system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Makes `directory/name` hold `bytes`, with mode 0644; makes the directory if it is missing. What killed runs left of it goes.
///
/// Where the file is not there but one by the name `former` is, that one is given the name first: at no moment are there
/// two of them or none.
pub fn replace(directory: &Path, name: &str, former: Option<&str>, bytes: &[u8]) -> Result<Outcome, StoreError> {
    let target = directory.join(name);
    let is_there = refuse_link(&target)?;
    temporary::clear(directory, name);
    if is_there && holds(&target, bytes) {
        return Ok(Outcome::Unchanged);
    }
    make_directory(directory).map_err(StoreError::io("create", directory))?;
    let mut file = temporary::create(directory, name).map_err(StoreError::io("create a file in", directory))?;
    write_out(file.as_file_mut(), bytes).map_err(StoreError::io("write", &target))?;
    if let Some(former) = former.filter(|_| !is_there).map(|former| directory.join(former))
        && former.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
    {
        fs::rename(&former, &target).map_err(StoreError::io("rename", &former))?;
    }
    file.persist(&target)
        .map_err(|error| StoreError::io("replace", &target)(error.error))?;
    sync_directory(directory)?;
    Ok(Outcome::Written)
}

/// Makes sure that `directory/name` is not there, nor anything that killed runs left of it.
pub fn remove(directory: &Path, name: &str) -> Result<Outcome, StoreError> {
    let target = directory.join(name);
    let is_there = refuse_link(&target)?;
    temporary::clear(directory, name);
    if !is_there {
        return Ok(Outcome::Absent);
    }
    fs::remove_file(&target).map_err(StoreError::io("remove", &target))?;
    sync_directory(directory)?;
    Ok(Outcome::Removed)
}

/// Whether a file is there; a link there is an error.
pub fn refuse_link(target: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_symlink() => Err(StoreError::Symlink(target.to_owned())),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("look at", target)(error)),
    }
}

/// Whether this is a file of ours with these bytes. Opened without waiting, should it be a pipe.
fn holds(target: &Path, bytes: &[u8]) -> bool {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(target);
    let Ok(file) = opened else { return false };
    let looks_the_same = file.metadata().is_ok_and(|metadata| {
        let mode = metadata.permissions().mode() & 0o7777;
        metadata.is_file() && mode == MODE && metadata.len() == bytes.len() as u64
    });
    let mut old = Vec::new();
    looks_the_same && file.take(bytes.len() as u64 + 1).read_to_end(&mut old).is_ok() && old == bytes
}

/// Makes a directory and its parents where they are missing, readable for all; not left to umask.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_directory(parent)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE)),
        Err(_) if directory.is_dir() => Ok(()), // somebody else was faster
        Err(error) => Err(error),
    }
}

/// The mode first, so that the bytes are never seen without it; not left to umask.
fn write_out(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename or removal lasts only once the directory is on disk.
fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::io("sync", directory))
}
