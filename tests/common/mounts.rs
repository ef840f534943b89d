//! A mount namespace of a test's own, and small file systems in it.

use std::fs::File;
use std::os::fd::AsRawFd;
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

/// A file system of which nobody answers for: whoever looks at something in it waits until it goes.
pub struct Hang {
    place: PathBuf,
    device: File,
}

impl Hang {
    /// Whether there can be one.
    pub fn is_possible() -> bool {
        Self::device().is_ok()
    }

    fn device() -> std::io::Result<File> {
        File::options().read(true).write(true).open("/dev/fuse")
    }

    /// Over this directory, which is made if it is missing.
    pub fn at(place: &Path) -> Self {
        std::fs::create_dir_all(place).unwrap();
        let device = Self::device().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        mount(
            Some("hang"),
            place,
            Some("fuse"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .unwrap();
        Self {
            place: place.to_owned(),
            device,
        }
    }

    /// Those who wait get an error; whoever comes later finds what was there before.
    pub fn end(self) {
        umount2(&self.place, MntFlags::MNT_DETACH).unwrap();
        drop(self.device);
    }
}
