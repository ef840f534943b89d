//! Files in the making: a name that no reader of specs looks at, and a lock that tells the file of a living run from what a
//! killed one has left behind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

/// Between the name of the file to be and this stand six characters of chance.
const SUFFIX: &str = ".tmp";
const CHANCE: usize = 6;
/// Clearing runs can take a file from us only before we hold its lock; so often in a row they do not.
const ATTEMPTS: usize = 16;
/// Far above what a CDI directory holds; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// A new file in `directory` that is to become `name` there. It is ours as long as it is open.
///
/// Watchers of CDI directories notice a rename within the directory, but not one into it: so it stands in the same one.
pub fn create(directory: &Path, name: &str) -> io::Result<NamedTempFile> {
    for _ in 0..ATTEMPTS {
        let file = tempfile::Builder::new()
            .prefix(&prefix(name))
            .rand_bytes(CHANCE)
            .suffix(SUFFIX)
            .tempfile_in(directory)?;
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

/// Removes what killed runs left of files that were to become `name`. Best effort: a leftover harms nobody.
pub fn clear(directory: &Path, name: &str) {
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
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let is_dead = file.metadata().ok()?.is_file() && file.try_lock().is_ok();
    is_dead.then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

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
