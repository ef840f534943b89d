//! Why a command has brought nothing.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Numbers of errors, as the kernel has them on every machine that has these NICs.
pub mod errno {
    /// The caller lacks the right.
    pub const EPERM: i32 = 1;
    /// There is none.
    pub const ENOENT: i32 = 2;
    /// The NIC is gone.
    pub const EIO: i32 = 5;
    /// In use.
    pub const EBUSY: i32 = 16;
    /// Something like it is there.
    pub const EEXIST: i32 = 17;
    /// Nonsense, or a command or size that this driver does not know.
    pub const EINVAL: i32 = 22;
    /// Nothing is left.
    pub const ENOSPC: i32 = 28;
    /// A number that is no member.
    pub const EBADR: i32 = 53;
    /// A command without a handler.
    pub const EOPNOTSUPP: i32 = 95;
    /// A service that is off.
    pub const EKEYREVOKED: i32 = 128;
}

/// Why a command has brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// The driver said no.
    Errno {
        /// HPE's name of the command.
        command: &'static str,
        /// The kernel's number.
        number: i32,
    },
    /// It said yes, and wrote nothing: this is no CXI driver.
    NotAnswered {
        /// HPE's name of the command.
        command: &'static str,
    },
    /// It said yes, and what it wrote is not what was asked for.
    Odd {
        /// HPE's name of the command.
        command: &'static str,
        /// What is odd.
        reason: String,
    },
    /// Nothing was asked: the node is missing, cannot be opened, or is not the NIC's.
    Node(String),
    /// No answer within so many seconds.
    Hangs(u64),
}

impl Refused {
    /// Whether it may be that this driver does not know the command, or has another layout: then nothing is known, and nothing
    /// is wrong.
    pub fn may_be_unknown(&self) -> bool {
        matches!(self.number(), Some(errno::EINVAL | errno::EOPNOTSUPP | errno::ENOENT))
    }

    /// The kernel's number, where there is one.
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Errno { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// Whether the service is in use.
    pub fn is_busy(&self) -> bool {
        self.number() == Some(errno::EBUSY)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno { command, number } => write!(f, "{command}: {}", words(*number)),
            Self::NotAnswered { command } => write!(
                f,
                "{command}: accepted and not answered, as no CXI driver does: what stands behind the node is something else"
            ),
            Self::Odd { command, reason } => write!(f, "{command}: {reason}"),
            Self::Node(reason) => f.write_str(reason),
            Self::Hangs(seconds) => write!(f, "no answer within {seconds} s: the driver is stuck (dmesg)"),
        }
    }
}

impl Serialize for Refused {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a number means here.
fn words(number: i32) -> String {
    let (name, meaning) = match number {
        errno::EPERM => (
            "EPERM",
            "not permitted: run it as root on the host (CAP_SYS_ADMIN); a virtual function's services are changed at its physical function",
        ),
        errno::ENOENT => ("ENOENT", "there is none"),
        errno::EIO => ("EIO", "the NIC has been removed"),
        errno::EBUSY => ("EBUSY", "the service is in use, or on"),
        errno::EEXIST => ("EEXIST", "another service has it, or this one already"),
        errno::EINVAL => (
            "EINVAL",
            "no such service, a value that the driver refuses, or a command that it does not know",
        ),
        errno::ENOSPC => ("ENOSPC", "nothing is left of what was asked for"),
        errno::EBADR => ("EBADR", "no valid member"),
        errno::EOPNOTSUPP => ("EOPNOTSUPP", "this driver has no such command"),
        errno::EKEYREVOKED => ("EKEYREVOKED", "the service is off"),
        _ => return format!("error {number}"),
    };
    format!("{name}: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: i32) -> Refused {
        Refused::Errno {
            command: "SVC_GET_NETNS",
            number,
        }
    }

    #[test]
    fn an_older_or_newer_driver_leaves_things_unknown() {
        for number in [errno::EINVAL, errno::EOPNOTSUPP, errno::ENOENT] {
            assert!(refused(number).may_be_unknown());
        }
        for number in [errno::EPERM, errno::EIO, errno::EBUSY, errno::ENOSPC] {
            assert!(!refused(number).may_be_unknown());
        }
        assert!(!Refused::Hangs(2).may_be_unknown());
        assert!(refused(errno::EBUSY).is_busy());
    }
}
