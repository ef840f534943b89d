//! Fabric addresses that more than one NIC of a node has. libfabric lists only one of such NICs, without a word.

use std::collections::BTreeMap;

use crate::model::nic::attributes::INVALID_NID;
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// The NICs of each fabric address that there is more than once.
#[derive(Debug, Clone, Default)]
pub struct SharedNids(BTreeMap<u64, Vec<PciAddress>>);

impl SharedNids {
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
        Self(holders)
    }

    /// The other NICs that have this one's address.
    pub fn others(&self, nic: &Nic) -> Vec<PciAddress> {
        let holders = nic.nid.iter().filter_map(|nid| self.0.get(nid)).flatten();
        holders.copied().filter(|address| *address != nic.address).collect()
    }
}
