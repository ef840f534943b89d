//! Unix sockets that we serve: never without their mode, never over somebody else's, and gone with us.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::{Mode, umask};
use tokio::net::UnixListener;

/// A socket file of ours, removed when this value goes, unless somebody else has put another file there.
#[derive(Debug)]
pub struct OwnSocket {
    path: PathBuf,
    identity: (u64, u64),
}

impl OwnSocket {
    /// Binds `path`, for whom `mode` allows from the first instant.
    ///
    /// # Errors
    /// What the system says; above all, that something is there already.
    pub fn bind(path: &Path, mode: Mode) -> io::Result<(Self, UnixListener)> {
        let old = umask(Mode::from_bits_truncate(0o777) & !mode);
        let listener = UnixListener::bind(path);
        umask(old);
        let listener = listener?;
        let own = Self {
            path: path.to_owned(),
            identity: identity(path)?,
        };
        Ok((own, listener))
    }

    /// Its name in its directory.
    pub fn file_name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Whether the path still leads to us.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        if self.is_in_place() {
            // Nothing to be done about a failure: the next start removes what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Whether nobody serves this socket. Does not wait: somebody with a full queue of callers is alive.
pub fn is_dead(path: &Path) -> bool {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let Ok(address) = UnixAddr::new(path) else { return false };
    let Ok(caller) = socket(AddressFamily::Unix, SockType::Stream, flags, None) else {
        return false;
    };
    connect(caller.as_raw_fd(), &address) == Err(Errno::ECONNREFUSED)
}
