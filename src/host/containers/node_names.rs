//! By which names a container has the device nodes of the host's NICs. An old answer of kubelet's names a NIC as it was called when the
//! pod came; what a node is, its numbers say.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::stat::{SFlag, major, minor};

use crate::host::files::roots::Roots;
use crate::model::nic::attributes::CxiName;
use crate::model::nic::inventory::Nic;

/// Far above what the driver has of numbers; stops a directory without end.
const LIMIT: usize = 4096;

type Numbers = (u64, u64);

/// The nodes of a container by their numbers.
#[derive(Debug)]
pub struct NodeNames {
    /// Character devices only.
    in_container: BTreeMap<CxiName, Numbers>,
    /// How many NICs of the host have these numbers: more than one only where they are not the kernel's.
    on_host: BTreeMap<Numbers, usize>,
}

impl NodeNames {
    /// Looks at what is called like a NIC in the container's `/dev`.
    pub fn find(container: &Roots, nics: &[Nic]) -> Self {
        let dev = Path::new("/dev");
        let names = container.names_if_there(dev).unwrap_or_default();
        let names = names.iter().filter_map(|name| name.parse::<CxiName>().ok());
        let numbers = |name: CxiName| {
            let status = container.look(&dev.join(name.to_string())).ok().flatten()?;
            let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
            (kind == SFlag::S_IFCHR).then(|| (name, (major(status.st_rdev), minor(status.st_rdev))))
        };
        let mut on_host = BTreeMap::new();
        for numbers in nics.iter().filter_map(numbers_of) {
            *on_host.entry(numbers).or_default() += 1;
        }
        Self {
            in_container: names.take(LIMIT).filter_map(numbers).collect(),
            on_host,
        }
    }

    /// The name to look at for this NIC, which the host calls `cxi`; none where the container has that name for another one.
    pub fn of(&self, nic: &Nic, cxi: CxiName) -> Option<CxiName> {
        let own = numbers_of(nic);
        let by_name = self.in_container.get(&cxi);
        if by_name.is_some() && by_name == own.as_ref() {
            return Some(cxi);
        }
        let is_unique = |numbers: &Numbers| self.on_host.get(numbers) == Some(&1);
        let mut others = self.in_container.iter();
        let by_numbers = others.find(|(_, numbers)| Some(*numbers) == own.as_ref() && is_unique(numbers));
        match by_numbers {
            Some((name, _)) => Some(*name),
            None if by_name.is_some_and(is_unique) => None,
            // Its place is empty, or what is there belongs to no NIC any more.
            None => Some(cxi),
        }
    }
}

fn numbers_of(nic: &Nic) -> Option<Numbers> {
    nic.node.as_ref().ok().map(|node| (node.major, node.minor))
}
