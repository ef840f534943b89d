//! What leaves the daemon about each NIC, for metrics, labels and device-info files. Pure.

use crate::model::alloc::snapshot::Snapshot;
use crate::model::health::{Check, Verdict};
use crate::model::nic::attributes::{Function, Generation};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::Reading;

/// The node as it is shown to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportedNode {
    /// Sorted by PCI address.
    pub nics: Vec<ExportedNic>,
}

/// One NIC. Names that move (`cxiN`, netdev) are here for people only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedNic {
    /// The identity of the NIC.
    pub address: PciAddress,
    /// Its chip, where the PCI id tells.
    pub generation: Option<Generation>,
    /// PF or VF.
    pub function: Function,
    /// Kernel name; empty without one.
    pub cxi: String,
    /// Ethernet interface; empty without one.
    pub netdev: String,
    /// Git hash of the driver, where it tells.
    pub driver_revision: Option<String>,
    /// Whether pods may get it.
    pub state: ExportedState,
    /// Every condition that was judged.
    pub conditions: Vec<(Check, Verdict)>,
    /// Uncorrectable PCIe errors as the driver counts them.
    pub pcie_uncorrectable_errors: Option<u64>,
    /// Fatal PCIe errors as the kernel counts them.
    pub pcie_fatal_errors: Option<u64>,
    /// Unix seconds of the last automatic restart of the fabric link.
    pub last_link_restart: Option<u64>,
    /// Whether its default service admits everybody, where that is known.
    pub default_service_open: Option<bool>,
    /// Its services whose end has been refused for too long, where that is known.
    pub services_lingering: Option<usize>,
}

/// Whether pods may get a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportedState {
    /// New pods may.
    Healthy,
    /// It is listed, and new pods may not.
    Unhealthy,
    /// It is not listed at all.
    NotOffered,
}

impl ExportedNode {
    /// The view that follows from a scan and what was published of it.
    pub fn new(inventory: &Inventory, snapshot: &Snapshot) -> Self {
        Self {
            nics: inventory
                .nics
                .iter()
                .map(|nic| ExportedNic::new(nic, snapshot))
                .collect(),
        }
    }

    /// The NICs that kubelet is told of.
    pub fn offered(&self) -> impl Iterator<Item = &ExportedNic> {
        self.nics.iter().filter(|nic| nic.state != ExportedState::NotOffered)
    }
}

impl ExportedNic {
    fn new(nic: &Nic, snapshot: &Snapshot) -> Self {
        let device = snapshot.devices.get(&nic.address);
        let conditions = device.map_or(&[][..], |device| &device.conditions);
        Self {
            address: nic.address,
            generation: nic.generation.clone().ok(),
            function: nic.function,
            cxi: nic.cxi.as_ref().map(ToString::to_string).unwrap_or_default(),
            netdev: match &nic.netdev {
                Ok(Some(netdev)) => netdev.name.clone(),
                _ => String::new(),
            },
            pcie_uncorrectable_errors: nic.pcie_uncorrectable_errors.clone().ok(),
            pcie_fatal_errors: nic.aer_fatal_errors.clone().ok(),
            last_link_restart: last(&nic.link_restarts),
            default_service_open: nic.open_default_service().ok().map(|open| open.is_some()),
            services_lingering: nic.services.as_ref().ok().map(|_| nic.lingering.len()),
            driver_revision: nic.driver_revision.clone().ok(),
            state: match device {
                Some(device) if device.is_healthy() => ExportedState::Healthy,
                Some(_) => ExportedState::Unhealthy,
                None => ExportedState::NotOffered,
            },
            conditions: conditions
                .iter()
                .map(|condition| (condition.check, condition.verdict))
                .collect(),
        }
    }
}

/// The ring of restarts holds 0 where it is unused.
fn last(restarts: &Reading<Vec<u64>>) -> Option<u64> {
    let times = restarts.iter().flatten();
    times.copied().filter(|time| *time > 0).max()
}
