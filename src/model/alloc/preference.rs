//! Which of the free NICs suit each other: fewest NUMA nodes first, then a common PCIe root, then the address. Pure, and
//! a total order, so that the same question always gets the same answer.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshot::{Device, Snapshot};
use crate::model::nic::pci::PciAddress;

/// `size` of the `available` devices, all of `must_include` among them. Fewer when there are not enough; kubelet fills up.
pub fn preferred(snapshot: &Snapshot, available: &[String], must_include: &[String], size: usize) -> Vec<String> {
    let known = |id: &String| {
        let address: PciAddress = id.parse().ok()?;
        Some((address, snapshot.devices.get(&address)?))
    };
    let mut chosen: Vec<(PciAddress, &Device)> = must_include.iter().filter_map(known).collect();
    let mut free: BTreeMap<PciAddress, &Device> = available.iter().filter_map(known).collect();
    free.retain(|address, _| chosen.iter().all(|(taken, _)| taken != address));
    while chosen.len() < size {
        let missing = size - chosen.len();
        let Some(address) = next(&free, &chosen, missing) else {
            break;
        };
        chosen.extend(free.remove_entry(&address));
    }
    chosen.iter().map(|(address, _)| address.to_string()).collect()
}

fn next(free: &BTreeMap<PciAddress, &Device>, chosen: &[(PciAddress, &Device)], missing: usize) -> Option<PciAddress> {
    let nodes: BTreeSet<_> = chosen.iter().map(|(_, device)| device.numa_node).collect();
    let roots: BTreeSet<_> = chosen.iter().map(|(_, device)| &device.pcie_root).collect();
    let free_on_node = |node| free.values().filter(|device| device.numa_node == node).count();
    let free_on_root = |root: &Option<String>| free.values().filter(|device| &device.pcie_root == root).count();
    let rank = |(address, device): (&PciAddress, &&Device)| {
        let on_node = free_on_node(device.numa_node);
        // A node that holds all that is missing spares another one, and the tightest such leaves the most behind;
        // where none does, the largest brings the end nearest.
        let fit = if on_node >= missing {
            (0, on_node)
        } else {
            (1, usize::MAX - on_node)
        };
        let node = (!nodes.contains(&device.numa_node), fit, device.numa_node);
        let root = (
            !roots.contains(&device.pcie_root),
            usize::MAX - free_on_root(&device.pcie_root),
        );
        (node, root, *address)
    };
    free.iter().map(rank).min().map(|(_, _, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses by bus, each with its NUMA node and PCIe root.
    fn node(nics: &[(u8, u32, &str)]) -> (Snapshot, Vec<String>) {
        let mut snapshot = Snapshot::default();
        for (bus, numa, root) in nics {
            let device = Device {
                conditions: Vec::new(),
                held: Vec::new(),
                numa_node: Some(*numa),
                pcie_root: Some((*root).to_owned()),
                edits: None,
            };
            snapshot.devices.insert(id(*bus).parse().unwrap(), device);
        }
        let ids = snapshot.devices.keys().map(ToString::to_string).collect();
        (snapshot, ids)
    }

    fn id(bus: u8) -> String {
        format!("0000:{bus:02x}:00.0")
    }

    #[test]
    fn two_nics_come_from_one_numa_node_even_if_the_first_addresses_do_not() {
        let (snapshot, ids) = node(&[(1, 0, "a"), (2, 1, "b"), (3, 1, "c")]);
        assert_eq!(preferred(&snapshot, &ids, &[], 2), [id(2), id(3)]);
    }

    #[test]
    fn the_tightest_node_that_fits_is_taken() {
        let (snapshot, ids) = node(&[(1, 0, "a"), (2, 0, "a"), (3, 0, "a"), (4, 1, "b"), (5, 1, "b")]);
        assert_eq!(preferred(&snapshot, &ids, &[], 2), [id(4), id(5)]);
    }

    #[test]
    fn within_a_node_a_common_root_wins_over_the_address() {
        let (snapshot, ids) = node(&[(1, 0, "a"), (2, 0, "b"), (3, 0, "b")]);
        assert_eq!(preferred(&snapshot, &ids, &[], 2), [id(2), id(3)]);
    }

    #[test]
    fn what_must_be_included_is_and_draws_its_neighbours() {
        let (snapshot, ids) = node(&[(1, 0, "a"), (2, 0, "a"), (3, 1, "b"), (4, 1, "b")]);
        assert_eq!(preferred(&snapshot, &ids, &[id(4)], 2), [id(4), id(3)]);
    }

    #[test]
    fn unknown_devices_and_too_large_requests_give_what_there_is() {
        let (snapshot, mut ids) = node(&[(1, 0, "a"), (2, 0, "a")]);
        ids.push("nonsense".to_owned());
        assert_eq!(preferred(&snapshot, &ids, &[], 5), [id(1), id(2)]);
        assert_eq!(preferred(&snapshot, &[], &[], 1), Vec::<String>::new());
    }
}
