//! A file system of which nobody answers for: whoever looks at something in it waits until it goes.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Such a file system, in a mount namespace of the test's own.
pub struct Hang {
    place: PathBuf,
    device: File,
}

impl Hang {
    /// Whether there can be one here.
    pub fn possible() -> bool {
        Self::device().is_ok()
    }

    fn device() -> std::io::Result<File> {
        File::options().read(true).write(true).open("/dev/fuse")
    }

    /// Over what is there.
    pub fn at(place: PathBuf) -> Self {
        let device = Self::device().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = Some(options.as_str());
        mount(Some("hang"), &place, Some("fuse"), MsFlags::empty(), options).unwrap();
        Self { place, device }
    }

    /// Those who wait get an error; whoever comes later finds what was there before.
    pub fn end(self) {
        umount2(&self.place, MntFlags::MNT_DETACH).unwrap();
        drop(self.device);
    }
}
