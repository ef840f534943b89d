//! Which kind of namespace an open file of nsfs stands for. Its name tells that only where it has not been mounted elsewhere, as
//! runtimes do with those of pods.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc::{c_int, ioctl};

/// `NS_GET_NSTYPE` (`linux/nsfs.h`).
const GET_TYPE: u32 = 0xb703;

/// The flag of `clone` that makes one of this kind.
///
/// # Errors
/// It is no namespace.
pub(super) fn of(file: BorrowedFd<'_>) -> io::Result<c_int> {
    #[expect(unsafe_code, reason = "nix has no call for it")]
    // SAFETY: the kernel reads and writes no memory of ours; the file is open as long as it is borrowed.
    let kind = unsafe { ioctl(file.as_raw_fd(), GET_TYPE as _) };
    Ok(Errno::result(kind)?)
}
