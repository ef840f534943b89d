//! What the daemon publishes: the devices as kubelet shall see them, and what a container gets with each. Pure.

use std::collections::BTreeMap;

use super::strategy::Strategy;
use crate::model::cdi::model::ContainerEdits;
use crate::model::cdi::naming::{NameKind, Naming};
use crate::model::cdi::render::{self, Policy};
use crate::model::cdi::resolution::Unresolved;
use crate::model::health::{self, Check, Condition, Health, Held, Verdict};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::node_link::{self, LinkFault, LinkFaults};
use crate::model::nic::pci::PciAddress;

/// One published state. Never changed, only replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Counts the published states of this process.
    pub generation: u64,
    /// The NICs on offer.
    pub devices: BTreeMap<PciAddress, Device>,
    /// What every container with a NIC gets.
    pub common: ContainerEdits,
    /// How containers get it.
    pub strategy: Strategy,
}

/// A NIC on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Every condition as published, with its reason.
    pub conditions: Vec<Condition>,
    /// Conditions that have changed and wait for their hold time.
    pub held: Vec<Held>,
    /// NUMA node, where the firmware names one.
    pub numa_node: Option<u32>,
    /// Root of the PCIe hierarchy, where it is known.
    pub pcie_root: Option<String>,
    /// What a container gets with this NIC, its node by PCI address; none without a usable device node.
    pub edits: Option<ContainerEdits>,
}

/// A device as ListAndWatch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDevice {
    /// The PCI address.
    pub id: String,
    /// Whether kubelet may give it to new pods.
    pub healthy: bool,
    /// For the topology manager.
    pub numa_node: Option<u32>,
}

impl Device {
    fn new(nic: &Nic, health: Health, inventory: &Inventory, policy: &Policy) -> Self {
        Self {
            conditions: health.conditions,
            held: health.held,
            numa_node: nic.numa_node.clone().ok().flatten(),
            pcie_root: nic.pcie_root().map(str::to_owned),
            edits: by_address(nic, render::device_edits(nic, inventory, policy)),
        }
    }

    /// Whether new pods may get it.
    pub fn is_healthy(&self) -> bool {
        self.edits.is_some() && health::is_healthy(&self.conditions)
    }

    fn cdi_fault(&self) -> Option<&str> {
        let fault = self
            .conditions
            .iter()
            .find(|condition| condition.check == Check::CdiFile);
        fault.map(|fault| fault.reason.as_str())
    }

    fn fail(&mut self, check: Check, reason: &str) {
        self.conditions.push(Condition {
            check,
            verdict: Verdict::Fail,
            reason: reason.to_owned(),
            evidence: Vec::new(),
        });
    }
}

/// For kubelet, which keeps its answers: the host's path of a node follows the NIC, the container's is the driver's name, which
/// libcxi opens.
fn by_address(nic: &Nic, edits: Option<ContainerEdits>) -> Option<ContainerEdits> {
    let (mut edits, node) = (edits?, nic.node.as_ref().ok()?);
    let (of_driver, link) = (node.path.to_str()?, node_link::path(node, nic.address));
    for node in edits.device_nodes.iter_mut().filter(|node| node.host_path == of_driver) {
        node.host_path = link.to_str()?.to_owned();
    }
    Some(edits)
}

impl Snapshot {
    /// The state that follows from a scan and the health of its NICs.
    pub fn new(
        inventory: &Inventory,
        policy: &Policy,
        strategy: Strategy,
        mut health: BTreeMap<PciAddress, Health>,
    ) -> Self {
        let device = |nic: &Nic| {
            Some((
                nic.address,
                Device::new(nic, health.remove(&nic.address)?, inventory, policy),
            ))
        };
        let on_offer = inventory
            .nics
            .iter()
            .filter(|nic| policy.selection.withheld(nic).is_none());
        Self {
            generation: 0,
            devices: on_offer.filter_map(device).collect(),
            common: render::common_edits(inventory, policy),
            strategy,
        }
    }

    /// The list for kubelet. Topology is for all devices of a resource or for none: beside others, a device without it
    /// never satisfies an aligned request.
    pub fn listing(&self) -> Vec<ListedDevice> {
        let with_topology = self.devices.values().all(|device| device.numa_node.is_some());
        let listed = |(address, device): (&PciAddress, &Device)| ListedDevice {
            id: address.to_string(),
            healthy: device.is_healthy(),
            numa_node: device.numa_node.filter(|_| with_topology),
        };
        self.devices.iter().map(listed).collect()
    }

    /// The state between this one and `next`: what gets lost is lost already, what is new is not there yet. Kubelet
    /// hears of it before the CDI file changes, and of `next` afterwards.
    pub fn intermediate_to(&self, next: &Self) -> Self {
        let mut between = next.clone();
        between.strategy = self.strategy;
        between.devices.retain(|address, _| self.devices.contains_key(address));
        for (address, device) in &mut between.devices {
            let former = self.devices.get(address);
            if device.is_healthy() && !former.is_some_and(Device::is_healthy) {
                // What was wrong with the file is so until it has been looked at again.
                let reason = former
                    .and_then(Device::cdi_fault)
                    .unwrap_or("the CDI file is about to be written");
                device.fail(Check::CdiFile, reason);
            }
        }
        between
    }

    /// Takes from the healthy the devices whose link by PCI address does not lead to their node. Returns whether there are any.
    ///
    /// With CDI names nobody is given a link, but kubelet repeats what was answered before: a wrong one counts there, too.
    pub fn fail_unlinked(&mut self, faults: &LinkFaults) -> bool {
        let mut any = false;
        for (address, device) in &mut self.devices {
            let Some(fault) = faults.get(address) else { continue };
            let is_wrong = matches!(fault, LinkFault::Wrong(_));
            if !is_wrong && self.strategy == Strategy::Cdi {
                continue;
            }
            device.fail(Check::DeviceLink, fault.reason());
            any = true;
            if is_wrong && self.strategy == Strategy::Direct {
                // Not even for a pod that is on its way.
                device.edits = None;
            }
        }
        any
    }

    /// Takes from the healthy the devices that a runtime would not find on disk.
    pub fn fail_unresolved(&mut self, unresolved: &Unresolved, naming: &Naming) {
        let is_named = naming.kinds.contains(&NameKind::Pci);
        for (address, device) in &mut self.devices {
            let reason = match unresolved.get(&address.to_string()) {
                _ if !is_named => Some("cdi.names leaves out pci, the name that pods are given"),
                reason => reason.map(String::as_str),
            };
            if let Some(reason) = reason.filter(|_| device.is_healthy()) {
                device.fail(Check::CdiFile, reason);
            }
        }
    }
}
