//! How much of what was written to a unix socket its other side has not read yet: the one thing by which a caller that
//! stands still is told from one that is quick.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// Bytes as the kernel accounts for them, which is more than was written; 0 when everything is read. None where the kernel
/// does not say.
pub fn unread(socket: BorrowedFd<'_>) -> Option<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (of the same number as TIOCOUTQ) writes one int to where its argument points, and the descriptor is
    // open as long as it is borrowed.
    #[expect(unsafe_code, reason = "nix has no call for it")]
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    Errno::result(answer).ok()?;
    usize::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_read_is_no_longer_unread() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(unread(ours.as_fd()), Some(0));
        ours.write_all(b"news").unwrap();
        assert!(unread(ours.as_fd()).unwrap() > 0);
        theirs.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(unread(ours.as_fd()), Some(0));
    }
}
