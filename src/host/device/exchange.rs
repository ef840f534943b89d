//! One command: a write(2) whose bytes hold the addresses of the caller's memory, into which the driver writes its answer. To
//! the compiler that is a write from a buffer, and no call of nix tells it more; so this is the one place that knows.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

use crate::model::services::abi::Request;

/// Sends a command and waits for its answer, which may take as long as the driver likes.
pub(super) fn exchange(
    node: BorrowedFd<'_>,
    request: &Request,
    answer: &mut [u8],
    list: &mut [u8],
) -> Result<usize, Errno> {
    // The addresses leave as numbers, so the compiler knows that somebody else may write there.
    let answer = address(answer);
    let list = address(list);
    let bytes = request.bytes(answer, list);
    #[expect(
        unsafe_code,
        reason = "the driver writes where the request says, beside what it is given to read"
    )]
    // SAFETY: `bytes` is valid for its length and is only read. What the driver writes lies in `answer` and `list`: both are
    // borrowed for as long as the call lasts, `answer` has the size that the command's answer has, and a list is written only
    // if the room that the request names is enough, which is the length of `list`. The driver keeps no address after the call.
    let written = unsafe { libc::write(node.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| Errno::last())
}

/// Where it is; 0 for no room.
fn address(buffer: &mut [u8]) -> u64 {
    if buffer.is_empty() {
        return 0;
    }
    // Addresses have 64 bits on every machine with these NICs.
    buffer.as_mut_ptr().expose_provenance() as u64
}
