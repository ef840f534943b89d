//! Names of device nodes that follow the PCI address: `/dev/cxi-by-pci/0000:21:00.0` leads to `../cxiN`. Kubelet keeps an answer
//! to Allocate for as long as the pod lives, over reboots, too, so there must be no number in it that moves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::attributes::{CxiName, DeviceNode};
use super::inventory::Nic;
use super::pci::PciAddress;

/// Directory of the links, beside the device nodes. `packaging/udev` has it, too.
pub const DIRECTORY: &str = "cxi-by-pci";

/// Where each link is to lead.
pub type Links = BTreeMap<PciAddress, CxiName>;

/// What is wrong with links that are to be there.
pub type LinkFaults = BTreeMap<PciAddress, LinkFault>;

/// Why a link does not lead to the NIC's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFault {
    /// It leads nowhere: a container that needs it is not made.
    Missing(String),
    /// It may lead to another device.
    Wrong(String),
}

impl LinkFault {
    /// What an admin is told.
    pub fn reason(&self) -> &str {
        match self {
            Self::Missing(reason) | Self::Wrong(reason) => reason,
        }
    }
}

/// Path of the link on the host.
pub fn path(node: &DeviceNode, address: PciAddress) -> PathBuf {
    node.path.with_file_name(DIRECTORY).join(address.to_string())
}

/// Where a link leads: the same text as udev's, so that there is nothing to write where udev has written.
pub fn target(name: CxiName) -> PathBuf {
    format!("../{name}").into()
}

/// The links of all NICs with a usable node, on offer or not: an answer may be older than what is on offer.
pub fn wanted(nics: &[Nic]) -> Links {
    let with_node = nics.iter().filter(|nic| nic.node.is_ok());
    with_node
        .filter_map(|nic| Some((nic.address, nic.cxi.clone().ok()?)))
        .collect()
}
