//! One instance at a time. Whoever can open the lock file can hold it for ever, so nobody but its owner can: whether a daemon
//! runs is told to others by [`super::instance`].

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use thiserror::Error;

use super::{atomic_file, instance, read};

/// What becomes the lock where others could open the old one.
const NEXT: &str = "lock.new";
/// For nobody but its owner.
const MODE: u32 = 0o600;
/// So often another instance can have come between.
const ATTEMPTS: usize = 8;

/// Held as long as it lives; the kernel frees it when the process ends in whatever way.
#[derive(Debug)]
pub struct InstanceLock {
    _file: Flock<File>,
}

/// Why the lock is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("another instance is running (pid {pid} holds {}): stop it first; two would take the NICs from each other", .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Its holder, by its own word.
        pid: String,
    },
    /// Somebody else could take it away, or has put something in its place.
    #[error("{} {what}: remove it, or name another --run-dir", .path.display())]
    Foreign {
        /// The lock file or its directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system refused.
    #[error("cannot take the lock {}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LockError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl InstanceLock {
    /// Takes the lock in `run_dir`, which is made if it is missing.
    pub fn take(run_dir: &Path) -> Result<Self, LockError> {
        let path = run_dir.join(instance::LOCK);
        own_directory(run_dir)?;
        for _ in 0..ATTEMPTS {
            if let Some(mut file) = attempt(run_dir, &path)? {
                // The lock holds without it, on a full disk, too.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(Self { _file: file });
            }
        }
        Err(LockError::io(&path)(io::Error::other("it is replaced again and again")))
    }
}

/// The directory as nobody else can change it: in another one, whatever is locked can be taken away.
fn own_directory(run_dir: &Path) -> Result<(), LockError> {
    let io = LockError::io(run_dir);
    atomic_file::make_directory(run_dir).map_err(&io)?;
    let metadata = fs::metadata(run_dir).map_err(&io)?;
    if !is_ours(metadata.uid()) {
        return Err(LockError::Foreign {
            path: run_dir.to_owned(),
            what: format!("belongs to user {}", metadata.uid()),
        });
    }
    let mode = metadata.mode() & 0o7777;
    // A shared place, such as /tmp, stays what it is: there, nobody removes the files of others.
    let is_sticky = mode & 0o1000 != 0;
    if mode & 0o022 != 0 && !is_sticky && metadata.uid() == geteuid().as_raw() {
        fs::set_permissions(run_dir, Permissions::from_mode(mode & !0o022)).map_err(&io)?;
    }
    Ok(())
}

fn is_ours(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// The locked file; none if another one has got its name meanwhile.
fn attempt(run_dir: &Path, path: &Path) -> Result<Option<Flock<File>>, LockError> {
    let file = open(path)?;
    let io = LockError::io(path);
    let metadata = file.metadata().map_err(&io)?;
    if metadata.mode() & 0o077 == 0 {
        let file = locked(file, path)?;
        return Ok(leads_to(path, &file).map_err(io)?.then_some(file));
    }
    // Older versions made it for all to read, and whoever has opened it so can hold it still. An instance of theirs counts.
    if let Some(pid) = instance::pid_in(&file).filter(|pid| instance::is_own_process(*pid))
        && Flock::lock(file.try_clone().map_err(&io)?, FlockArg::LockExclusiveNonblock).is_err()
    {
        return Err(held(path, &pid.to_string()));
    }
    let next = run_dir.join(NEXT);
    let new = locked(open(&next)?, &next)?;
    // Between these two and the renaming nobody else renames: that takes the lock of the new file.
    if !(leads_to(&next, &new).map_err(&io)? && leads_to(path, &file).map_err(&io)?) {
        return Ok(None);
    }
    fs::rename(&next, path).map_err(&io)?;
    Ok(Some(new))
}

/// A plain file of ours. Nothing is followed, and nothing else is opened for longer than to see what it is.
fn open(path: &Path) -> Result<File, LockError> {
    let foreign = |what: String| LockError::Foreign {
        path: path.to_owned(),
        what,
    };
    let (how, no_follow) = (OpenOptions::new().read(true).write(true).clone(), nix::libc::O_NOFOLLOW);
    let made = || how.clone().create_new(true).mode(MODE).open(path);
    let opened = read::regular_by(&how, path, no_follow).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => made(),
        _ => Err(error),
    });
    let opened = opened.or_else(|error| match error.kind() {
        // Another one that starts was faster.
        io::ErrorKind::AlreadyExists => read::regular_by(&how, path, no_follow),
        _ => Err(error),
    });
    let file = opened.map_err(|error| match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => foreign(format!("is {error}")),
        _ => LockError::io(path)(error),
    })?;
    let metadata = file.metadata().map_err(LockError::io(path))?;
    if !is_ours(metadata.uid()) {
        return Err(foreign(format!("belongs to user {}", metadata.uid())));
    }
    Ok(file)
}

fn locked(file: File, path: &Path) -> Result<Flock<File>, LockError> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => Ok(file),
        Err((file, Errno::EWOULDBLOCK)) => Err(held(path, &holder(&file))),
        Err((_, error)) => Err(LockError::io(path)(error.into())),
    }
}

fn held(path: &Path, pid: &str) -> LockError {
    LockError::Held {
        path: path.to_owned(),
        pid: pid.to_owned(),
    }
}

fn holder(file: &File) -> String {
    instance::pid_in(file).map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

/// Whether the name is still that of this file.
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        there => there.map(|there| (there.dev(), there.ino()) == (metadata.dev(), metadata.ino())),
    }
}
