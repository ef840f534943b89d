//! One instance at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal;
use nix::unistd::Pid;
use thiserror::Error;

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
    /// The file system refused.
    #[error("cannot take the lock {}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl InstanceLock {
    /// Takes the lock in `run_dir`, which is made if it is missing.
    pub fn take(run_dir: &Path) -> Result<Self, LockError> {
        let path = run_dir.join("lock");
        let io = |source: io::Error| LockError::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(run_dir).map_err(io)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // The lock is what counts; who holds it is for people, and a full disk takes no word of it.
                let cleared = file.set_len(0).and_then(|()| file.rewind());
                if let Err(error) = cleared.and_then(|()| writeln!(file, "{}", std::process::id())) {
                    tracing::warn!("{} does not say who holds it: {error}", path.display());
                }
                Ok(Self { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(LockError::Held {
                path: path.clone(),
                pid: holder(&file),
            }),
            Err((_, error)) => Err(io(error.into())),
        }
    }
}

/// Process id of the instance that runs now, by its lock in `run_dir`.
///
/// Trying a lock takes it for a moment, in which an instance that starts would take us for another one. So it is tried
/// only when the file names a living process.
pub fn running(run_dir: &Path) -> Option<Pid> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(run_dir.join("lock"))
        .ok()?;
    let pid = holder(&file).parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)?;
    if signal::kill(pid, None) == Err(Errno::ESRCH) {
        return None;
    }
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => Some(pid),
        _ => None,
    }
}

fn holder(file: &File) -> String {
    let mut pid = String::new();
    match file.take(16).read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => pid.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
