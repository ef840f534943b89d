//! What only the NICs of a node together show: fabric addresses that more than one of them has, of which libfabric lists one
//! without a word, and how fast the others are.

use std::collections::BTreeMap;

use crate::model::nic::attributes::{Function, Generation, INVALID_NID, PcieRate};
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// The NICs of each fabric address that there is more than once, and the speeds of all.
#[derive(Debug, Clone, Default)]
pub struct AcrossNics {
    holders: BTreeMap<u64, Vec<PciAddress>>,
    speeds: Vec<Speeds>,
}

/// How fast a NIC is, as far as that is known.
#[derive(Debug, Clone)]
struct Speeds {
    address: PciAddress,
    generation: Option<Generation>,
    pcie: Option<PcieRate>,
    fabric_mbps: Option<u64>,
}

impl AcrossNics {
    /// Of the NICs of a node.
    pub fn of(nics: &[Nic]) -> Self {
        let mut holders: BTreeMap<u64, Vec<PciAddress>> = BTreeMap::new();
        for nic in nics {
            if let Ok(nid) = nic.nid
                && nid != INVALID_NID
            {
                holders.entry(nid).or_default().push(nic.address);
            }
        }
        holders.retain(|_, nics| nics.len() > 1);
        let physical = nics.iter().filter(|nic| nic.function == Function::Physical);
        let speeds = physical.map(|nic| Speeds {
            address: nic.address,
            generation: nic.generation.as_ref().ok().copied(),
            pcie: nic.pcie_link.as_ref().ok().map(|link| link.current),
            fabric_mbps: nic.reported_speeds.iter().map(|speed| speed.mbps).min(),
        });
        Self {
            holders,
            speeds: speeds.collect(),
        }
    }

    /// The other NICs that have this one's address.
    pub fn others(&self, nic: &Nic) -> Vec<PciAddress> {
        let holders = nic.nid.iter().filter_map(|nid| self.holders.get(nid)).flatten();
        holders.copied().filter(|address| *address != nic.address).collect()
    }

    /// The fastest PCIe link among the other NICs of its generation.
    pub fn fastest_pcie(&self, nic: &Nic) -> Option<PcieRate> {
        let generation = nic.generation.as_ref().ok();
        let alike = self.beside(nic).filter(|other| other.generation.as_ref() == generation);
        let rates = alike.filter_map(|other| other.pcie);
        rates.max_by_key(|rate| rate.mega_transfers * rate.lanes)
    }

    /// The fastest fabric link among the other NICs, in Mb/s.
    pub fn fastest_fabric(&self, nic: &Nic) -> Option<u64> {
        self.beside(nic).filter_map(|other| other.fabric_mbps).max()
    }

    fn beside(&self, nic: &Nic) -> impl Iterator<Item = &Speeds> {
        self.speeds.iter().filter(|other| other.address != nic.address)
    }
}
