//! A file system, or a socket, of which nobody answers for.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, connect, listen, socket};

/// A file system of which nobody answers for: whoever looks at something in it waits until it goes.
#[derive(Debug)]
pub struct Hang {
    place: PathBuf,
    _device: File,
}

impl Hang {
    /// Whether there can be one here, in a mount namespace of one's own.
    pub fn possible() -> bool {
        Self::device().is_ok()
    }

    fn device() -> std::io::Result<File> {
        File::options().read(true).write(true).open("/dev/fuse")
    }

    pub fn at(place: PathBuf) -> Self {
        let device = Self::device().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        mount(
            Some("hang"),
            &place,
            Some("fuse"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .unwrap();
        Self { place, _device: device }
    }

    /// Those who wait get an error; whoever comes later finds what was there before.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        umount2(&self.place, MntFlags::MNT_DETACH).unwrap();
    }
}

/// Nobody accepts, and there is no more room to wait in: a caller that blocks does so for ever.
pub fn full_backlog(path: &Path) -> (UnixListener, Vec<OwnedFd>) {
    let listener = UnixListener::bind(path).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let mut waiting = Vec::new();
    loop {
        let caller = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_NONBLOCK, None).unwrap();
        if connect(caller.as_raw_fd(), &UnixAddr::new(path).unwrap()).is_err() {
            return (listener, waiting);
        }
        waiting.push(caller);
    }
}
