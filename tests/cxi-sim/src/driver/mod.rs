//! The driver behind `/dev/cxiN`, in memory: what it answers to commands, in the bytes that it takes and gives. It shares nothing
//! with the programs that are tested by it, so that it can contradict them. Errno and order are those of the driver's source of
//! 2026; only hardware proves them.

mod bytes;
mod lnis;
mod nic;
mod pools;
mod profiles;
mod rights;
pub mod script;
mod service;
mod supervisor;
mod vnis;
mod wire;

pub use nic::{Nic, Parameters};
pub use service::Caller;
pub use supervisor::{Nics, Supervised};
pub use wire::Outcome;

/// Numbers of errors, as Linux has them.
pub mod errno {
    /// Not permitted.
    pub const EPERM: i32 = 1;
    /// None.
    pub const ENOENT: i32 = 2;
    /// Gone.
    pub const EIO: i32 = 5;
    /// A bad address.
    pub const EFAULT: i32 = 14;
    /// In use.
    pub const EBUSY: i32 = 16;
    /// There already.
    pub const EEXIST: i32 = 17;
    /// Nonsense.
    pub const EINVAL: i32 = 22;
    /// Nothing left.
    pub const ENOSPC: i32 = 28;
    /// Lost.
    pub const ENODATA: i32 = 61;
    /// No valid member.
    pub const EBADR: i32 = 53;
    /// No such command any more.
    pub const EOPNOTSUPP: i32 = 95;
    /// Off.
    pub const EKEYREVOKED: i32 = 128;
}

/// What a command comes to.
type Answered<T> = Result<T, i32>;
