//! Whether a daemon runs, told to whoever may look: root by its lock, others by its record and the process that this names.
//! A file counts only if root or the caller has made it, so that nobody else can say that one runs, or what it does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal;
use nix::unistd::{Pid, geteuid};
use serde::Deserialize;

use super::read;
use crate::model::status;

/// The lock in the daemon's directory.
pub const LOCK: &str = "lock";
/// What the kernel keeps of the name of our program.
pub const COMM: &str = "cxi-device-plug";
/// As the kernel keeps it, and room for what it should not do.
const COMM_LIMIT: u64 = 64;
/// Hundreds of NICs with all their conditions.
const RECORD_LIMIT: u64 = 16 << 20;

/// Whether one runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// As this process.
    Runs(Pid),
    /// None does.
    Stopped,
    /// It cannot be seen from here.
    Unknown(String),
}

impl Life {
    /// The process of the one that runs for certain.
    pub fn pid(&self) -> Option<Pid> {
        match self {
            Self::Runs(pid) => Some(*pid),
            Self::Stopped | Self::Unknown(_) => None,
        }
    }
}

/// Whether a daemon with this directory runs.
pub fn life(run_dir: &Path) -> Life {
    let path = run_dir.join(LOCK);
    match open(&path) {
        Ok(None) => Life::Stopped,
        Ok(Some(lock)) => by_lock(run_dir, lock),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => by_record(run_dir),
        Err(error) => Life::Unknown(format!("{}: {error}", path.display())),
    }
}

/// The record that a daemon keeps of itself; none where there is none.
///
/// # Errors
/// It cannot be read, or somebody else has put it there.
pub fn record(run_dir: &Path) -> io::Result<Option<String>> {
    let Some(file) = open(&run_dir.join(status::FILE))? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    if file.take(RECORD_LIMIT + 1).read_to_end(&mut bytes)? as u64 > RECORD_LIMIT {
        return Err(io::Error::other(format!("longer than {RECORD_LIMIT} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("not a text"))?;
    Ok(Some(text))
}

/// Trying a lock takes it for a moment, in which an instance that starts would take us for another one. So it is tried only
/// where a process lives that may hold it.
fn by_lock(run_dir: &Path, lock: File) -> Life {
    // On a full disk the lock names nobody.
    let named = pid_in(&lock).or_else(|| pid_of_record(run_dir).ok().flatten());
    let Some(pid) = named.filter(|pid| is_alive(*pid)) else {
        return Life::Stopped;
    };
    // One of an older version, which all could open: anybody may hold it.
    let is_open_to_all = lock.metadata().map_or(true, |metadata| metadata.mode() & 0o077 != 0);
    match Flock::lock(lock, FlockArg::LockSharedNonblock) {
        Err((_, Errno::EWOULDBLOCK)) if !is_open_to_all || has_owner_like_us(pid) => Life::Runs(pid),
        _ => Life::Stopped,
    }
}

fn by_record(run_dir: &Path) -> Life {
    let file = run_dir.join(status::FILE);
    match pid_of_record(run_dir) {
        Err(error) => Life::Unknown(format!("{}: {error}", file.display())),
        Ok(None) => Life::Unknown(format!("there is no {}; root can tell by the lock", file.display())),
        Ok(Some(pid)) if !is_alive(pid) => Life::Stopped,
        Ok(Some(pid)) => match look_at(pid) {
            // Its number has gone to another process.
            Some(process) if !process.is_own() => Life::Stopped,
            Some(_) => Life::Runs(pid),
            None => Life::Unknown(format!(
                "{} names process {pid}, which /proc does not show to you; root can tell",
                file.display()
            )),
        },
    }
}

#[derive(Deserialize)]
struct Record {
    pid: i32,
}

fn pid_of_record(run_dir: &Path) -> io::Result<Option<Pid>> {
    let Some(text) = record(run_dir)? else { return Ok(None) };
    let Record { pid } =
        serde_json::from_str(&text).map_err(|error| io::Error::other(format!("no record: {error}")))?;
    Ok((pid > 0).then(|| Pid::from_raw(pid)))
}

/// A plain file of root's or of the caller's, opened without waiting and without following a link.
fn open(path: &Path) -> io::Result<Option<File>> {
    let file = match read::regular(path, nix::libc::O_NOFOLLOW) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    let owner = metadata.uid();
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(io::Error::other(format!(
            "belongs to user {owner}, who may say anything"
        )));
    }
    Ok(Some(file))
}

/// The process that a lock names.
pub(super) fn pid_in(lock: &File) -> Option<Pid> {
    let mut bytes = [0; 16];
    let length = lock.read_at(&mut bytes, 0).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)
}

fn is_alive(pid: Pid) -> bool {
    signal::kill(pid, None) != Err(Errno::ESRCH)
}

/// A process as all may see it.
struct Process {
    owner: u32,
    comm: String,
}

impl Process {
    fn is_own(&self) -> bool {
        (self.owner == 0 || self.owner == geteuid().as_raw()) && self.comm == COMM
    }
}

fn look_at(pid: Pid) -> Option<Process> {
    let directory = Path::new("/proc").join(pid.to_string());
    let owner = fs::metadata(&directory).ok()?.uid();
    let comm = read::text_of_kernel(&directory.join("comm"), COMM_LIMIT).ok()?;
    Some(Process {
        owner,
        comm: comm.trim_end().to_owned(),
    })
}

fn has_owner_like_us(pid: Pid) -> bool {
    look_at(pid).is_some_and(|process| process.owner == 0 || process.owner == geteuid().as_raw())
}

/// Whether this is a daemon of root's or of ours, and not a process that has its number by now.
pub(super) fn is_own_process(pid: Pid) -> bool {
    pid != Pid::this() && look_at(pid).is_some_and(|process| process.is_own())
}
