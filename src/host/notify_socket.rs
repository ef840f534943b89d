//! systemd's socket for what a service says of itself, and for files that it is to keep for the service's next life.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::close;

/// The first descriptor that systemd hands over.
const FIRST: RawFd = 3;
/// Pods whose services were in use when they ended; there are few at a time.
const MOST: RawFd = 4096;

/// Whether somebody listens.
pub fn is_there() -> bool {
    name().is_some()
}

fn name() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())
}

/// Says this, with these files. Does not wait: systemd itself may be stuck. Of our own, since the library's waits and knows no
/// abstract names. Without a socket, or without a word, nothing is said.
///
/// # Errors
/// What the system says.
pub fn send(text: &str, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let Some(name) = name().filter(|_| !text.is_empty()) else {
        return Ok(());
    };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(&name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let sent = if files.is_empty() {
        socket.send_to_addr(text.as_bytes(), &address).map(drop)
    } else {
        socket.connect_addr(&address)?;
        let files: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let files = [ControlMessage::ScmRights(&files)];
        let text = [IoSlice::new(text.as_bytes())];
        let sent = sendmsg::<()>(socket.as_raw_fd(), &text, &files, MsgFlags::empty(), None);
        sent.map(drop).map_err(io::Error::from)
    };
    sent.inspect_err(|error| tracing::debug!("systemd does not listen: {error}"))
}

/// The files that systemd has kept, by the names that they were given. To be asked once, before anything else opens files.
pub fn kept() -> Vec<(String, File)> {
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<i64>().ok();
    if number("LISTEN_PID") != Some(i64::from(std::process::id())) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok());
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let numbers = FIRST..FIRST + count.unwrap_or(0).clamp(0, MOST);
    let kept = numbers.zip(names.split(':')).filter_map(|(number, name)| {
        let file = File::open(format!("/proc/self/fd/{number}"));
        // What was handed over would stay open for ever.
        let _ = close(number);
        Some((name.to_owned(), file.ok()?))
    });
    kept.collect()
}
