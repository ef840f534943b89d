//! A place of our own: the kernel tells our events to nobody else, and nobody else's files wake the plugin.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Where nodes are made (`scratch_dir`).
const MEMORY: &str = "/dev/shm";

/// What could be had, or why not.
pub(super) struct Place {
    /// A network namespace, which it takes to send uevents.
    pub network: Result<(), String>,
    /// An own `/dev/shm`. The plugin watches each directory on the way to its files, thus wakes for every file that somebody
    /// makes in a shared one.
    pub memory: Result<(), String>,
}

/// Moves this thread, and what it starts, to that place; who is not root, into a user namespace as well, as the same user.
/// That takes a process with a single thread, and a machine that allows it.
pub(super) fn enter(program: &Path) -> Place {
    let network = match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => as_user().map_err(|error| format!("neither root nor a user namespace: {error}")),
        Err(error) => Err(format!("no network namespace: {error}")),
        Ok(()) => Ok(()),
    };
    let memory = if fs::canonicalize(program).is_ok_and(|program| program.starts_with(MEMORY)) {
        Err("the program is in the shared one".to_owned())
    } else {
        own_memory().map_err(|error| format!("no mount: {error}"))
    };
    Place { network, memory }
}

fn as_user() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    // A user may map groups only after giving up setgroups().
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

fn own_memory() -> nix::Result<()> {
    const NOTHING: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    mount(
        Some("cxi-bench"),
        MEMORY,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=1777"),
    )
}
