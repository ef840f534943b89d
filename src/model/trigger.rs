//! Why the node is looked at: for the log, for counting, and for where to look. A trigger carries no state.

use std::fmt;

use super::nic::pci::PciAddress;

/// Something that asks for a look at the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// The kernel made, removed or changed a device.
    Uevent {
        /// `add`, `remove` and so on.
        action: String,
        /// The device below `/sys`.
        device: String,
    },
    /// A NIC's network interface has changed.
    Link(String),
    /// Files that matter have changed.
    Files(String),
    /// A source had more events than it could keep: which they were does not matter.
    Overflow(&'static str),
    /// A source that was lost is back, or one has just been lost.
    Source(&'static str),
    /// Someone sent SIGHUP.
    Hangup,
    /// A card's texts have come, or a look that hung has ended.
    News,
    /// The slow poll.
    Pulse,
    /// News of a NIC's health has been held back for long enough.
    Held,
    /// We have written the CDI file: is it still so?
    Written,
    /// What went wrong before is tried again.
    Retry,
    /// After looks at single NICs: have they missed anything?
    Recheck,
    /// The container runtime says something else than before.
    Runtime,
}

impl Trigger {
    /// Every [`kind`](Self::kind).
    pub const KINDS: [&'static str; 13] = [
        "uevent", "link", "files", "overflow", "source", "hangup", "news", "pulse", "held", "written", "retry",
        "recheck", "runtime",
    ];

    /// Whether it may come again and again, as no order of ours or of an admin does.
    pub fn is_event(&self) -> bool {
        matches!(
            self,
            Self::Uevent { .. } | Self::Link(_) | Self::Files(_) | Self::Overflow(_) | Self::Source(_)
        )
    }

    /// The PCI function of the device that a uevent names: the last one on the way to it.
    pub fn pci_function(&self) -> Option<PciAddress> {
        match self {
            Self::Uevent { device, .. } => device.rsplit('/').find_map(|part| part.parse().ok()),
            _ => None,
        }
    }

    /// A short name for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Uevent { .. } => "uevent",
            Self::Link(_) => "link",
            Self::Files(_) => "files",
            Self::Overflow(_) => "overflow",
            Self::Source(_) => "source",
            Self::Hangup => "hangup",
            Self::News => "news",
            Self::Pulse => "pulse",
            Self::Held => "held",
            Self::Written => "written",
            Self::Retry => "retry",
            Self::Recheck => "recheck",
            Self::Runtime => "runtime",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uevent { action, device } => write!(f, "uevent {action} {device}"),
            Self::Link(interface) => write!(f, "link {interface}"),
            Self::Files(path) => write!(f, "file {path}"),
            Self::Overflow(source) => write!(f, "{source} overflowed"),
            Self::Source(source) => write!(f, "{source} came or went"),
            Self::Hangup => f.write_str("SIGHUP"),
            Self::News => f.write_str("news of an earlier look"),
            Self::Pulse => f.write_str("slow poll"),
            Self::Held => f.write_str("held news is due"),
            Self::Written => f.write_str("our own write"),
            Self::Retry => f.write_str("another try"),
            Self::Recheck => f.write_str("a look at all, after looks at single NICs"),
            Self::Runtime => f.write_str("an answer of the container runtime"),
        }
    }
}
