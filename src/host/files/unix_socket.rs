//! Unix sockets that we serve: never without their mode, never over somebody else's, and gone with us.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
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
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        // Linux makes the file with the mode of the socket, less the umask: never for more than it is meant for. The umask
        // itself belongs to the whole process, and other threads make files.
        fchmod(&socket, mode)?;
        bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        let own = Self {
            path: path.to_owned(),
            identity: identity(path)?,
        };
        give_mode(path, mode)?;
        // Only from here on somebody can call.
        listen(&socket, Backlog::MAXCONN)?;
        let listener = UnixListener::from_std(net::UnixListener::from(socket))?;
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

/// What the umask has taken away, given back to the file of a socket, and to nothing that may stand in its place.
fn give_mode(path: &Path, mode: Mode) -> io::Result<()> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH | nix::libc::O_NOFOLLOW)
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.mode() & 0o777 == mode.bits() {
        return Ok(());
    }
    if !metadata.file_type().is_socket() || metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other("somebody else has put another file there"));
    }
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(descriptor, Permissions::from_mode(mode.bits()))
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
