//! Unix sockets: those that we serve, never without their mode, never over somebody else's, and gone with us; and calls to
//! those of others, which never wait.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;
use tokio::net::UnixListener;

/// Callers that the kernel lets wait, as the standard library has it.
const QUEUE: i32 = 128;

/// A socket file of ours: what it is, not whose duty it is to remove it.
#[derive(Debug, Clone)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Binds `path`, for whom `mode` allows from the first instant.
    ///
    /// # Errors
    /// What the system says; above all, that something is there already.
    pub fn bind(path: &Path, mode: Mode) -> io::Result<(Self, net::UnixListener)> {
        let listener = stream()?;
        // The file gets the mode of the unbound socket, less the umask; to narrow that, which is the whole process's, would
        // harm what other threads write meanwhile.
        fchmod(&listener, mode)?;
        bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
        let file = Self {
            path: path.to_owned(),
            identity: identity(path)?,
        };
        // Until somebody listens, nobody gets through.
        give_mode(path, mode)?;
        listen(&listener, Backlog::new(QUEUE)?)?;
        Ok((file, listener.into()))
    }

    /// Its name in its directory.
    pub fn name(&self) -> String {
        let name = self.path.file_name();
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether the path still leads to us.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }

    /// Removes it, unless somebody else has put another file there.
    pub fn remove(&self) {
        if self.is_in_place() {
            // Nothing to be done about a failure: the next start removes what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket file of ours, removed when this value goes.
#[derive(Debug)]
pub struct OwnSocket(SocketFile);

impl OwnSocket {
    /// As [`SocketFile::bind`].
    ///
    /// # Errors
    /// The same.
    pub fn bind(path: &Path, mode: Mode) -> io::Result<(Self, UnixListener)> {
        let (file, listener) = SocketFile::bind(path, mode)?;
        // What fails from here on leaves no file behind.
        let own = Self(file);
        listener.set_nonblocking(true)?;
        Ok((own, UnixListener::from_std(listener)?))
    }

    /// Whether the path still leads to us.
    pub fn is_in_place(&self) -> bool {
        self.0.is_in_place()
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        self.0.remove();
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

/// One life of whoever serves a socket, told by the file: device, inode and the nanoseconds of its last status change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketLife {
    file: (u64, u64),
    changed: i128,
}

impl SocketLife {
    /// The present one at this path; none where there is no socket.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        let file = (metadata.dev(), metadata.ino());
        metadata.file_type().is_socket().then_some(Self { file, changed })
    }

    /// Whether it is the same socket, although somebody may have changed its mode or its links.
    pub fn is_same_file(self, other: Self) -> bool {
        self.file == other.file
    }
}

/// How a call comes out.
#[derive(Debug)]
pub enum Call {
    /// It is taken, or waits in the queue. The stream does not block.
    Taken(net::UnixStream),
    /// Somebody serves it, whose queue of callers is full.
    QueueFull,
    /// Nobody serves it.
    Refused,
}

/// Calls whoever serves this socket, without waiting for them.
///
/// # Errors
/// What else the system says: that there is no such socket, or that we have no file descriptor left.
pub fn call(path: &Path) -> io::Result<Call> {
    let caller = stream()?;
    match connect(caller.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) => Ok(Call::Taken(caller.into())),
        Err(Errno::EAGAIN) => Ok(Call::QueueFull),
        Err(Errno::ECONNREFUSED) => Ok(Call::Refused),
        Err(error) => Err(error.into()),
    }
}

/// Whether nobody serves this socket. Does not wait: somebody with a full queue of callers is alive.
pub fn is_dead(path: &Path) -> bool {
    matches!(call(path), Ok(Call::Refused))
}

/// Whether somebody serves this socket. Does not wait.
pub fn is_alive(path: &Path) -> bool {
    matches!(call(path), Ok(Call::Taken(_) | Call::QueueFull))
}

fn stream() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket(AddressFamily::Unix, SockType::Stream, flags, None)?)
}
