//! Whoever carries out commands: the driver behind a device node, or what a test has put in its place.

use nix::errno::Errno;

use crate::model::services::abi::Request;

/// Carries out commands.
pub trait Driver {
    /// One command. The answer goes into `answer`, which has its size, and a list into `list`.
    ///
    /// # Errors
    /// The driver's own number.
    fn exchange(&self, request: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno>;
}

impl<D: Driver + ?Sized> Driver for &D {
    fn exchange(&self, request: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno> {
        (**self).exchange(request, answer, list)
    }
}
