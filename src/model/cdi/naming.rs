//! Names of a NIC's CDI devices, and which of them keep their meaning.

use std::collections::BTreeSet;

use crate::model::nic::attributes::CxiName;
use crate::model::nic::inventory::Nic;

/// Name of the device that stands for all NICs of a spec.
pub const ALL: &str = "all";

/// A way to name a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NameKind {
    /// The PCI address, such as 0000:21:00.0, which stays
    Pci,
    /// The kernel's name, such as cxi0, which moves
    Cxi,
    /// The kernel's number, such as 0, which moves
    Index,
}

/// Which names a spec has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// For each NIC, in this order.
    pub kinds: Vec<NameKind>,
    /// Whether there is one more device for all NICs together.
    pub all: bool,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            kinds: vec![NameKind::Pci, NameKind::Cxi, NameKind::Index],
            all: true,
        }
    }
}

impl Naming {
    /// Names of a NIC, each once.
    pub fn names(&self, nic: &Nic) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let names = self.kinds.iter().filter_map(|kind| match kind {
            NameKind::Pci => Some(nic.address.to_string()),
            NameKind::Cxi => Some(nic.cxi.as_ref().ok()?.to_string()),
            NameKind::Index => Some(nic.cxi.as_ref().ok()?.0.to_string()),
        });
        names.filter(|name| seen.insert(name.clone())).collect()
    }
}

/// Whether a device of this name may be another NIC after its driver was bound anew.
pub fn moves(name: &str) -> bool {
    let number = || name.parse::<u32>().is_ok_and(|number| number.to_string() == name);
    name.parse::<CxiName>().is_ok() || number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_names_and_numbers_move() {
        for name in ["cxi0", "cxi10", "0", "4294967295"] {
            assert!(moves(name), "{name}");
        }
        for name in ["0000:21:00.0", "all", "hsn0", "cxi01", "01", "+1", ""] {
            assert!(!moves(name), "{name}");
        }
    }
}
