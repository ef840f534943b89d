//! What can go wrong with an emulated node, each in one line that says what, where and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Result of an operation on an emulated node.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on an emulated node failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call on a file of the tree failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The verb, as in "cannot write".
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The directory holds something that is no emulated node.
    #[error("{} is not empty and no emulated node: choose a new or an empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// The directory already holds an emulated node.
    #[error("{} already holds an emulated node: add --force to rebuild it, or choose another directory", .0.display())]
    AlreadyNode(PathBuf),
    /// The directory holds no emulated node.
    #[error("{} holds no emulated node: make one with `cxi-sim node create DIR`", .0.display())]
    NotNode(PathBuf),
    /// The state file cannot be understood.
    #[error("cannot understand {}: {source}; rebuild the node with `cxi-sim node create --force`", path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// The node has no NIC at this PCI address.
    #[error("no NIC at {pci} in {}: `cxi-sim node list {}` shows what there is", dir.display(), dir.display())]
    UnknownNic {
        /// The PCI address asked for.
        pci: String,
        /// The node's directory.
        dir: PathBuf,
    },
    /// A NIC asks for a PCI address, cxi number or netdev name that another NIC of the node has.
    #[error("{what} belongs to another NIC of this node: choose another one, or leave it out")]
    InUse {
        /// For example `cxi0` or `0000:21:00.0`.
        what: String,
    },
    /// The text or the values of a NIC specification make no sense.
    #[error("NIC specification \"{spec}\": {why}")]
    Spec {
        /// The specification as text.
        spec: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The file is no bundle of a node.
    #[error("{} is no bundle: {why}; make one on the node with `cxi-device-plugin doctor --bundle FILE`", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The kernel would not broadcast a uevent.
    #[error("cannot send uevents: {0}; it takes CAP_SYS_ADMIN in an own network namespace (unshare --net)")]
    Uevents(#[source] io::Error),
    /// No variant has this name.
    #[error("no variant \"{0}\": use V1 to V19")]
    Variant(String),
    /// The operation needs the driver, and the NIC has none.
    #[error("the NIC at {0} is bound to no driver: bind it first")]
    Unbound(String),
    /// The NIC is bound already.
    #[error("the NIC at {0} is bound to cxi_ss1 already: unbind it first, or rebind it")]
    Bound(String),
    /// An attribute's name leaves the NIC's directory.
    #[error("attribute \"{0}\": give a path below the PCI directory, such as properties/link")]
    Attribute(String),
    /// A NIC has no such attribute, or no directory for it.
    #[error("the NIC at {pci} has no attribute {attribute}: look below {}", dir.display())]
    NoAttribute {
        /// The NIC.
        pci: String,
        /// The path below the PCI directory.
        attribute: String,
        /// The PCI directory.
        dir: PathBuf,
    },
}

/// Adds what was done to which file to an [`io::Error`].
pub(super) trait Context<T> {
    /// `action` completes the sentence "cannot ACTION PATH".
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
