//! A mount namespace of a test's own, and small file systems in it.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::network;
use super::skip::{Need, skip};

/// Moves the thread of `test` and what it starts into a mount namespace of its own, as [`network::is_own`] does.
pub fn are_own(test: &str) -> bool {
    if !network::is_own(test) {
        return false;
    }
    if let Err(error) = enter() {
        skip(Need::Namespaces, format!("no mount namespace: {error}"));
        return false;
    }
    true
}

/// The same without another process; takes `CAP_SYS_ADMIN`.
pub fn enter() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

/// A file system in memory, until it is dropped.
pub struct Memory(PathBuf);

impl Memory {
    /// With the options of tmpfs; makes the directory.
    pub fn at(place: &Path, options: &str) -> Self {
        std::fs::create_dir_all(place).unwrap();
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
        Self(place.to_owned())
    }

    /// From now on nobody may write here.
    pub fn make_read_only(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}
