//! A network namespace of our own, in which the kernel tells our events to nobody else.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Moves this thread into one; who is not root, into a user namespace as well, as the same user. That takes a process with a
/// single thread, and a machine that allows it.
pub(super) fn enter() -> Result<(), String> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => as_user().map_err(|error| format!("neither root nor a user namespace: {error}")),
        Err(error) => Err(format!("no network namespace: {error}")),
        Ok(()) => Ok(()),
    }
}

fn as_user() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    // A user may map groups only after giving up setgroups().
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}
