//! What the node remembers between two operations: the counters that only grow, and every NIC.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::device_node::{DeviceNodes, DeviceNumbers};
use super::error::{Context, Error, Result};
use super::pci::PciAddress;
use super::spec::{Kind, NicSpec};
use super::tree::Tree;
use super::variant::Variant;

/// Name of the state file in the node's directory, beside `sys` and `dev`.
pub(super) const STATE_FILE: &str = "cxi-sim.json";

/// Bits of a fabric address.
const FABRIC_ADDRESS_BITS: u32 = 20;

/// A NIC's place in the node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NicState {
    pub spec: NicSpec,
    pub pci: PciAddress,
    /// Number of the NIC in its node; MAC address and nid follow from it.
    pub number: u32,
    pub numa: i32,
    /// The netdev's name while the NIC is bound; none with V10.
    pub netdev: Option<String>,
    /// The PF of a VF, if the node has it.
    pub physfn: Option<PciAddress>,
    /// The number of that PF in the node.
    pub physfn_number: Option<u32>,
    /// What the driver gave the NIC; none while it is unbound.
    pub bound: Option<Bound>,
}

/// Numbers that a NIC has while `cxi_ss1` is bound to it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Bound {
    pub cxi: u32,
    pub ifindex: u32,
    pub device: DeviceNumbers,
}

impl NicState {
    pub fn kind(&self) -> Kind {
        self.spec.kind
    }

    pub fn has(&self, variant: Variant) -> bool {
        self.spec.has(variant)
    }

    /// The PCI directory, relative to `/sys`.
    pub fn dir(&self) -> String {
        self.pci.sysfs_dir()
    }

    /// The algorithmic MAC address (AMA): locally administered, the fabric address in the low 20 bits.
    pub fn mac(&self) -> [u8; 6] {
        let [_, high, middle, low] = self.fabric_address().to_be_bytes();
        [0x02, 0, 0, high, middle, low]
    }

    /// The nid as the driver derives it: the low 20 bits of the MAC (`cxi_set_nid_from_mac()`, cass_core.c); that of a VF
    /// is its PF's with the number of the VF, from 1, above.
    pub fn nid(&self) -> u32 {
        match self.physfn_number {
            Some(number) => fabric_address(number) | u32::from(self.pci.function) << FABRIC_ADDRESS_BITS,
            None => self.fabric_address(),
        }
    }

    fn fabric_address(&self) -> u32 {
        fabric_address(self.number)
    }
}

fn fabric_address(number: u32) -> u32 {
    number.wrapping_add(0x12) & ((1 << FABRIC_ADDRESS_BITS) - 1)
}

/// The state of a whole node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// The next N of cxiN. The driver counts up for as long as its module is loaded (cxi_core.c).
    pub next_cxi: u32,
    /// The next interface index; 1 is the loopback, 2 the management network.
    pub next_ifindex: u32,
    pub device_nodes: DeviceNodes,
    /// NICs in the order in which they were added.
    pub nics: Vec<NicState>,
}

impl State {
    pub fn new(device_nodes: DeviceNodes) -> Self {
        Self {
            next_cxi: 0,
            next_ifindex: 3,
            device_nodes,
            nics: Vec::new(),
        }
    }

    pub fn load(tree: &Tree) -> Result<Self> {
        let path = tree.root().join(STATE_FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotNode(tree.root().to_owned()));
            }
            other => other.context("read", &path)?,
        };
        serde_json::from_slice(&bytes).map_err(|source| Error::State { path, source })
    }

    pub fn save(&self, tree: &Tree) -> Result<()> {
        let path = tree.root().join(STATE_FILE);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|source| Error::State {
            path: path.clone(),
            source,
        })?;
        bytes.push(b'\n');
        tree.replace(&path, 0o644, &bytes)
    }

    /// The position of the NIC at this address.
    pub fn find(&self, pci: PciAddress) -> Option<usize> {
        self.nics.iter().position(|nic| nic.pci == pci)
    }

    /// Gives a NIC its place: address, netdev name, NUMA node, but no cxi number yet.
    pub fn place(&self, spec: &NicSpec) -> Result<NicState> {
        spec.check()?;
        let wrong = |why: String| Error::Spec {
            spec: spec.to_string(),
            why,
        };
        let number = first_free(|number| self.nics.iter().all(|nic| nic.number != number));
        let pci = match &spec.pci {
            Some(text) => text.parse().map_err(wrong)?,
            None => self
                .free_address(spec.kind)
                .ok_or_else(|| wrong("the node has no free slot".into()))?,
        };
        if self.find(pci).is_some() {
            return Err(Error::InUse { what: pci.to_string() });
        }
        let netdev = match &spec.netdev {
            _ if spec.has(Variant::V10) => None,
            Some(name) if self.has_netdev(name) => return Err(Error::InUse { what: name.clone() }),
            Some(name) => Some(name.clone()),
            None => {
                let free = |n: &String| !self.has_netdev(n);
                std::iter::once(number)
                    .chain(0..=u32::MAX)
                    .map(|n| format!("hsn{n}"))
                    .find(free)
            }
        };
        let numa = match spec.numa {
            _ if spec.has(Variant::V11) => -1,
            Some(node) => node,
            None => i32::from(pci.slot().unwrap_or(number) % 4 >= 2),
        };
        let physfn = Some(pci.with_function(0)).filter(|pf| spec.kind.is_vf() && self.is_pf(*pf, spec.kind));
        let physfn_number = physfn.and_then(|pf| Some(self.nics.get(self.find(pf)?)?.number));
        Ok(NicState {
            spec: spec.clone(),
            pci,
            number,
            numa,
            netdev,
            physfn,
            physfn_number,
            bound: None,
        })
    }

    /// Takes the next cxi number, or the wanted one, and the next interface index.
    pub fn take_numbers(&mut self, wanted: Option<u32>) -> Result<Bound> {
        let cxi = wanted.unwrap_or(self.next_cxi);
        if self
            .nics
            .iter()
            .any(|nic| nic.bound.is_some_and(|bound| bound.cxi == cxi))
        {
            return Err(Error::InUse {
                what: format!("cxi{cxi}"),
            });
        }
        let ifindex = self.next_ifindex;
        self.next_cxi = self.next_cxi.max(cxi.saturating_add(1));
        self.next_ifindex += 1;
        let device = self.device_nodes.numbers(cxi);
        Ok(Bound { cxi, ifindex, device })
    }

    fn has_netdev(&self, name: &str) -> bool {
        self.nics.iter().any(|nic| nic.netdev.as_deref() == Some(name))
    }

    fn is_pf(&self, pci: PciAddress, vf: Kind) -> bool {
        self.nics
            .iter()
            .any(|nic| nic.pci == pci && nic.kind() == vf.physical())
    }

    /// PF: function 0 of the first slot without any NIC. VF: the first free function beside the first PF that has one,
    /// else function 1 of the first slot without any NIC.
    fn free_address(&self, kind: Kind) -> Option<PciAddress> {
        if kind.is_vf() {
            let pfs = self
                .nics
                .iter()
                .filter(|nic| nic.kind() == kind.physical() && nic.pci.function == 0);
            let functions = pfs.flat_map(|nic| (1..8).map(|function| nic.pci.with_function(function)));
            if let Some(free) = { functions }.find(|pci| self.find(*pci).is_none()) {
                return Some(free);
            }
        }
        let empty = |pci: &PciAddress| self.nics.iter().all(|nic| nic.pci.with_function(0) != *pci);
        let slot = (0..=u32::from(u16::MAX)).filter_map(PciAddress::of_slot).find(empty)?;
        Some(slot.with_function(kind.is_vf().into()))
    }
}

fn first_free(free: impl Fn(u32) -> bool) -> u32 {
    (0..u32::MAX).find(|number| free(*number)).unwrap_or(u32::MAX)
}
