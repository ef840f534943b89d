//! The NUMA node of a NIC whose firmware names none. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::attributes::pcie_root;
use super::pci::PciAddress;

/// As many as Linux can have (`MAX_NUMNODES`).
pub const NODES: u32 = 1024;

/// NUMA nodes by the word of the site.
pub type NumaTable = BTreeMap<PciAddress, u32>;

/// Another PCI function that has a NUMA node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Where it is below sysfs.
    pub directory: PathBuf,
    /// Its node.
    pub node: u32,
}

/// The node of the functions that are nearest to this one below the same root; none where they are at odds.
pub fn by_siblings(directory: &Path, siblings: &[Sibling]) -> Option<u32> {
    let root = pcie_root(directory)?;
    let below = siblings
        .iter()
        .filter(|sibling| pcie_root(&sibling.directory) == Some(root));
    let shared = |sibling: &Sibling| {
        let both = directory.iter().zip(sibling.directory.iter());
        both.take_while(|(one, other)| one == other).count()
    };
    let nearness: Vec<(usize, u32)> = below.map(|sibling| (shared(sibling), sibling.node)).collect();
    let nearest = nearness.iter().map(|(shared, _)| *shared).max()?;
    let mut nodes = nearness
        .iter()
        .filter(|(shared, _)| *shared == nearest)
        .map(|(_, node)| *node);
    let first = nodes.next()?;
    nodes.all(|node| node == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_below_the_same_root_count_where_they_agree() {
        let nic = Path::new("devices/pci0000:20/0000:20:01.1/0000:21:00.0");
        let far = ("devices/pci0000:20/0000:20:03.1/0000:22:00.0", 2);
        let near = ("devices/pci0000:20/0000:20:01.1/0000:21:00.1", 1);
        let foreign = ("devices/pci0000:40/0000:40:01.1", 7);
        let rival = ("devices/pci0000:20/0000:20:04.0", 3);
        for (siblings, expected) in [
            (vec![], None),
            (vec![foreign], None),
            (vec![far, foreign], Some(2)),
            (vec![far, near], Some(1)),
            (vec![far, rival], None),
            (vec![far, rival, near], Some(1)),
        ] {
            let siblings: Vec<Sibling> = siblings
                .into_iter()
                .map(|(directory, node)| Sibling {
                    directory: directory.into(),
                    node,
                })
                .collect();
            assert_eq!(by_siblings(nic, &siblings), expected, "{siblings:?}");
        }
    }
}
