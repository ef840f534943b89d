//! What is known of a container and of the NICs in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::libs::image;
use crate::model::reading::Reading;
use crate::model::services::service::Service;
use crate::model::status::NicStatus;

/// What was read of a process in the container.
#[derive(Debug, Clone)]
pub struct ContainerFacts {
    /// Its ids and rights.
    pub identity: Identity,
    /// Whether it is in the host's network namespace.
    pub in_host_network: Reading<bool>,
    /// Whether it is in the host's user namespace.
    pub in_host_users: Reading<bool>,
    /// The number of its network namespace.
    pub netns: Option<u32>,
    /// RLIMIT_MEMLOCK in bytes; none for no limit.
    pub memlock: Reading<Option<u64>>,
    /// The environment that it was started with.
    pub environment: Reading<BTreeMap<String, String>>,
    /// What its loader makes of libfabric.
    pub libraries: image::ImageFacts,
    /// The files that it loads with it, and the directories on the way to them.
    pub library_files: Vec<FileInContainer>,
    /// Its `/dev/kdreg2`.
    pub kdreg2: Reading<CompanionInContainer>,
    /// What is known of its right to userfaultfd.
    pub userfaultfd: Userfaultfd,
    /// Its class `cxi_user`; an error when `/sys` does not show it.
    pub class: Reading<()>,
}

/// Who a process is to the kernel, as far as opening a file goes. Ids as the host has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Groups, the first being its own.
    pub gids: Vec<u32>,
    /// User and own group as the process itself has them, in its user namespace.
    pub seen: (u32, u32),
    /// Whether modes do not bind it: CAP_DAC_OVERRIDE in the host's user namespace.
    pub overrides_modes: bool,
    /// Whose files' modes do not bind it: with that capability in a user namespace, those of all that this has.
    pub overrides_of: MappedIds,
}

/// Users and groups of the host that a user namespace has, each range as the first one and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MappedIds {
    /// Users.
    pub users: Vec<(u32, u32)>,
    /// Groups.
    pub groups: Vec<(u32, u32)>,
}

/// A device node beside those of the NICs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompanionInContainer {
    /// What the container has.
    pub node: Option<NodeInContainer>,
    /// Numbers of the host's.
    pub host: Option<(u64, u64)>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileInContainer {
    /// In the container.
    pub path: PathBuf,
    /// Or a file.
    pub is_directory: bool,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// Whether a process may be told of page faults, by which libfabric can hear that memory goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Userfaultfd {
    /// A filter of system calls holds for it.
    pub is_filtered: bool,
    /// The kernel lets it.
    pub is_permitted: bool,
}

/// What the driver says of the services of each NIC, by its PCI address.
pub type ServicesOfNics = BTreeMap<String, Reading<Vec<Service>>>;

/// One NIC of the node, and how it shows in the container.
#[derive(Debug, Clone)]
pub struct NicInContainer {
    /// As the host has it, but for its conditions: those that follow from the interface as the container sees it.
    pub nic: NicStatus,
    /// Numbers of the host's device node.
    pub numbers: Option<(u64, u64)>,
    /// Its device node in the container: what stands at `/dev/cxiN`, unless that is another NIC's, or else what has its numbers.
    pub node: Reading<Option<NodeInContainer>>,
    /// The name of that, where it is not the host's.
    pub old_name: Option<String>,
    /// Whether `/sys/class/cxi_user/cxiN` leads to this NIC.
    pub in_class: Reading<bool>,
    /// Whether its first PCI resource shows.
    pub has_resource: Reading<bool>,
    /// Whether `/sys/class/net` has an interface whose device is this NIC.
    pub has_netdev: Reading<bool>,
}

/// What stands at the place of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeInContainer {
    /// A character device, as it should be.
    pub is_char_device: bool,
    /// Its numbers.
    pub numbers: (u64, u64),
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Mounted such that no device there can be opened.
    pub nodev: bool,
    /// Whether the device cgroup lets the process open it; none where that cannot be told (cgroup v2).
    pub cgroup_allows: Option<bool>,
}
