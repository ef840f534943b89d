//! Binds that show a container with a network namespace of its own the host's netdevs of its NICs. Pure.
//!
//! libfabric looks through `/sys/class/net` for the netdev with the NIC's PCI address, and takes its MAC, state and speed
//! from there (`cxip_if.c`). sysfs shows only the interfaces of the namespace it was mounted in, so a container finds none.
//! The class has to be the host's, once for all NICs, because an entry cannot be added to the container's own. Its entries
//! are relative links, `../../devices/pci.../net/hsn0`, which the container follows in its own sysfs: they lead somewhere
//! only below a PCI function that is bound, too, and dangle for every other NIC. libfabric passes over those that dangle.
//!
//! A function is bound as a whole, not just its `net`: it is there while the NIC is, so that a container starts whatever
//! becomes of the netdev, and sees one that comes later. One in another network namespace stays unseen.

use std::path::Path;

use super::model::Mount;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::reading::ReadError;

/// What containers see of the NICs' netdevs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum NetdevView {
    /// Those of their own network namespace: they have to share the host's, or be given the interface
    #[default]
    Off,
    /// Experimental: the host's /sys/class/net, read-only, with the interfaces of their own NICs; libfabric accepts these without
    /// the host's network. Hides the container's own interfaces there, and NICs whose interface was moved into it
    Sysfs,
}

/// Where a container has sysfs.
const SYSFS: &str = "/sys";
/// All network interfaces, below it.
const CLASS: &str = "class/net";

/// The binds for NICs with these directories, apart from any inventory: by whoever adds them to a container that has none.
pub fn mounts<'path>(sysfs: &Path, directories: impl IntoIterator<Item = &'path Path>) -> Vec<Mount> {
    let directories = directories.into_iter();
    let paths = std::iter::once(Path::new(CLASS)).chain(directories);
    let binds = paths.filter_map(|path| Mount::of_sysfs(&sysfs.join(path), &Path::new(SYSFS).join(path)));
    binds.collect()
}

/// Where a container has the host's network interfaces, if it has them.
pub fn class_in_container() -> String {
    format!("{SYSFS}/{CLASS}")
}

/// For every container with a NIC; none where no NIC can be shown.
pub fn class_mount(inventory: &Inventory, view: NetdevView) -> Option<Mount> {
    let is_of_use = inventory.nics.iter().any(|nic| nic.pci_directory.is_ok());
    (view == NetdevView::Sysfs && is_of_use)
        .then(|| bind(inventory, CLASS.as_ref()))
        .flatten()
}

/// For a container with this NIC; none where the place of its PCI function is unknown.
pub fn nic_mount(nic: &Nic, inventory: &Inventory, view: NetdevView) -> Option<Mount> {
    let directory = nic.pci_directory.as_ref().ok()?;
    (view == NetdevView::Sysfs)
        .then(|| bind(inventory, directory))
        .flatten()
}

/// The NICs that cannot be shown though they should be, for an admin.
pub fn problems(inventory: &Inventory, view: NetdevView) -> Vec<ReadError> {
    if view == NetdevView::Off {
        return Vec::new();
    }
    let usable = inventory.nics.iter().filter(|nic| nic.node.is_ok());
    let unknown = usable.filter_map(|nic| nic.pci_directory.as_ref().err());
    let problem = |read_error: &ReadError| {
        let reason = format!("{}: containers get no netdev view of this NIC", read_error.reason);
        ReadError::new(&read_error.path, reason)
    };
    unknown.map(problem).collect()
}

/// The same directory in the container's sysfs.
fn bind(inventory: &Inventory, directory: &Path) -> Option<Mount> {
    Mount::of_sysfs(&inventory.sysfs.join(directory), &Path::new(SYSFS).join(directory))
}
