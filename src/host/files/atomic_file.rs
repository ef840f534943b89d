//! Files that others read while we write: a reader sees the old bytes or the new ones, never a part.
//!
//! The new bytes stand in a temporary file at first. Its name is one that no reader of specs looks at, and a lock tells the
//! file of a living run from what a killed one has left behind.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

use super::read;

/// Readable for rootless podman, too.
const MODE: u32 = 0o644;
/// The same for a directory that we make.
const DIRECTORY_MODE: u32 = 0o755;

/// Between the name of the file to be and this stand six characters of chance.
const SUFFIX: &str = ".tmp";
const CHANCE: usize = 6;
/// Clearing runs can take a file from us only before we hold its lock; so often in a row they do not.
const ATTEMPTS: usize = 16;
/// Far above what a CDI directory holds; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
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
pub fn replace(directory: &Path, name: &str, former: Option<&str>, bytes: &[u8]) -> Result<WriteOutcome, StoreError> {
    let target = directory.join(name);
    let is_there = refuse_link(&target)?;
    remove_leftovers(directory, name);
    if is_there && holds(&target, bytes) {
        return Ok(WriteOutcome::Unchanged);
    }
    make_directory(directory).map_err(StoreError::io("create", directory))?;
    let mut file = create_temporary(directory, name).map_err(StoreError::io("create a file in", directory))?;
    write_out(file.as_file_mut(), bytes).map_err(StoreError::io("write", &target))?;
    if let Some(former) = former.filter(|_| !is_there).map(|former| directory.join(former))
        && former.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
    {
        fs::rename(&former, &target).map_err(StoreError::io("rename", &former))?;
    }
    file.persist(&target)
        .map_err(|error| StoreError::io("replace", &target)(error.error))?;
    sync_directory(directory)?;
    Ok(WriteOutcome::Written)
}

/// Makes sure that `directory/name` is not there, nor anything that killed runs left of it.
pub fn remove(directory: &Path, name: &str) -> Result<WriteOutcome, StoreError> {
    let target = directory.join(name);
    let is_there = refuse_link(&target)?;
    remove_leftovers(directory, name);
    if !is_there {
        return Ok(WriteOutcome::Absent);
    }
    fs::remove_file(&target).map_err(StoreError::io("remove", &target))?;
    sync_directory(directory)?;
    Ok(WriteOutcome::Removed)
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

/// A directory there is an error, as no file can take its place.
pub fn refuse_directory(target: &Path) -> Result<(), StoreError> {
    let is_directory = fs::symlink_metadata(target).is_ok_and(|found| found.is_dir());
    if is_directory {
        return Err(StoreError::io("replace", target)(io::ErrorKind::IsADirectory.into()));
    }
    Ok(())
}

/// Whether this is a file of ours with these bytes.
fn holds(target: &Path, bytes: &[u8]) -> bool {
    let Ok(file) = read::regular(target, nix::libc::O_NOFOLLOW) else {
        return false;
    };
    let looks_the_same = file.metadata().is_ok_and(|metadata| {
        let mode = metadata.permissions().mode() & 0o7777;
        metadata.is_file() && mode == MODE && metadata.len() == bytes.len() as u64
    });
    let mut old = Vec::new();
    looks_the_same && file.take(bytes.len() as u64 + 1).read_to_end(&mut old).is_ok() && old == bytes
}

/// Makes a directory and its parents where they are missing, readable for all; not left to umask.
///
/// # Errors
/// What the system says; above all, that something else stands there.
pub fn make_directory(directory: &Path) -> io::Result<()> {
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
    // What may stand there by now, such as a pipe, is not waited for.
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY)
        .open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(StoreError::io("sync", directory))
}

/// A new file in `directory` that is to become `name` there. It is ours as long as it is open.
///
/// Watchers of CDI directories notice a rename within the directory, but not one into it: so it stands in the same one.
pub fn create_temporary(directory: &Path, name: &str) -> io::Result<NamedTempFile> {
    for _ in 0..ATTEMPTS {
        // What the library says of an error names the file, which is another one each time.
        let mut refusal = None;
        let file = tempfile::Builder::new()
            .prefix(&prefix(name))
            .rand_bytes(CHANCE)
            .suffix(SUFFIX)
            .make_in(directory, |path| {
                open_new(path).inspect_err(|error| refusal = error.raw_os_error())
            })
            .map_err(|error| refusal.map_or(error, io::Error::from_raw_os_error))?;
        match file.as_file().try_lock() {
            Ok(()) if file.as_file().metadata()?.nlink() > 0 => return Ok(file),
            // No locks on this file system: then nobody clears anything either.
            Err(TryLockError::Error(_)) => return Ok(file),
            // A clearing run came between the making and the lock.
            Ok(()) | Err(TryLockError::WouldBlock) => {}
        }
    }
    Err(io::Error::other("temporary files vanish as soon as they are made"))
}

fn open_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Removes what killed runs left of files that were to become `name`. Best effort: a leftover harms nobody.
pub fn remove_leftovers(directory: &Path, name: &str) {
    let entries = fs::read_dir(directory).into_iter().flatten().take(DIRECTORY_LIMIT);
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|file| is_temporary(file, name));
        if is_ours && nobody_holds(&entry.path()).is_some() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn prefix(name: &str) -> String {
    format!(".{name}.")
}

fn is_temporary(file: &str, name: &str) -> bool {
    let chance = file
        .strip_prefix(&prefix(name))
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    chance.is_some_and(|chance| chance.len() == CHANCE && chance.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The lock of a plain file that no living run holds.
fn nobody_holds(path: &Path) -> Option<File> {
    let file = read::regular(path, nix::libc::O_NOFOLLOW).ok()?;
    file.try_lock().is_ok().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_the_same_each_time() {
        let scratch = tempfile::Builder::new().prefix("scratch").tempdir().unwrap();
        let reason = |directory: &Path| {
            let error = replace(directory, "x", None, b"x").unwrap_err();
            format!("{:#}", anyhow::Error::new(error))
        };
        let file = scratch.path().join("file");
        File::create(&file).unwrap();
        // Nothing can be made there, whoever tries.
        for directory in [Path::new("/proc/self"), &file.join("below")] {
            let said = reason(directory);
            assert_eq!(said, reason(directory));
            assert!(!said.contains(".tmp"), "{said}");
        }
    }

    #[test]
    fn only_names_of_our_making_are_leftovers() {
        assert!(is_temporary(".spec.yaml.aB3xyz.tmp", "spec.yaml"));
        for name in [
            "spec.yaml",
            ".spec.yaml.tmp",
            ".spec.yaml.aB3xy.tmp",
            ".spec.yaml.aB3xyzz.tmp",
            ".spec.yaml.aB/xyz.tmp",
            ".spec.json.aB3xyz.tmp",
            "x.spec.yaml.aB3xyz.tmp",
            ".spec.yaml.aB3xyz.yaml",
        ] {
            assert!(!is_temporary(name, "spec.yaml"), "{name}");
        }
    }
}
