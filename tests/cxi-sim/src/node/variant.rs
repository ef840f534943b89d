//! The ways in which real nodes differ, or go wrong, by number.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::error::Error;
use super::spec::{Kind, NicSpec};

/// One way in which a node differs from the plain one. Most are traits of one NIC, V3, V4, V18 and V19 of a whole node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Variant {
    /// A Cassini 1 NIC.
    V1,
    /// A Cassini 2 NIC (`port/0/**`).
    V2,
    /// Two NICs whose cxi and hsn numbers are swapped: netdev names are the site's, not the driver's.
    V3,
    /// cxi numbers with a gap, as after a rebind: cxi0 is gone, its NIC is cxi4 now.
    V4,
    /// The device node is missing, the class entry is there.
    V5,
    /// `properties/nid` is 0xffffffff: never set.
    V6,
    /// All `fru/` values are empty: reads of 0 bytes.
    V7,
    /// A Cassini 1 NIC, whose `port/` files have no newline at the end.
    V8,
    /// `properties/speed` is -1 although the link is up.
    V9,
    /// No netdev: `cxi_eth` is not loaded, or the netdev lives in another network namespace.
    V10,
    /// `numa_node` is -1: the firmware does not say.
    V11,
    /// A VF, which has `properties/` only; [`Variant::nics`] puts it beside its PF.
    V12,
    /// An older driver without `properties/{system_type_identifier,ats_enabled}`.
    V13,
    /// `properties/pct_eq` is 0: no retry handler.
    V14,
    /// PCI `enable` is 0: the driver gave the NIC up after a fatal error.
    V15,
    /// Files that vanish between listing and reading: `properties/{link,pct_eq,driver_rev}` are dangling symlinks.
    V16,
    /// The class cxi_user entry appears before the class cxi entry. The emulation always adds in this order, so the
    /// end state is that of V1.
    V17,
    /// HPE Cray EX255a: each of four NICs in a PCI domain of its own, which is its NUMA node.
    V18,
    /// HPE Cray EX235a: four NICs near the NUMA nodes 3, 1, 0 and 2, of which the firmware does not name one.
    V19,
}

impl Variant {
    /// Every variant, in order.
    pub const ALL: [Self; 19] = [
        Self::V1,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::V5,
        Self::V6,
        Self::V7,
        Self::V8,
        Self::V9,
        Self::V10,
        Self::V11,
        Self::V12,
        Self::V13,
        Self::V14,
        Self::V15,
        Self::V16,
        Self::V17,
        Self::V18,
        Self::V19,
    ];

    /// The NICs of a small node that shows this variant: one NIC, except for V3 (two), V4, V18, V19 (four) and V12 (PF and VF).
    pub fn nics(self) -> Vec<NicSpec> {
        let c1 = || NicSpec::new(Kind::Cassini1);
        match self {
            Self::V1 | Self::V8 | Self::V17 => vec![c1().variant(self)],
            Self::V2 => vec![NicSpec::new(Kind::Cassini2).variant(self)],
            Self::V3 => vec![c1().cxi(1).netdev("hsn0"), c1().cxi(0).netdev("hsn1")],
            Self::V4 => [4, 1, 2, 3].map(|number| c1().cxi(number)).to_vec(),
            Self::V18 => (0..4)
                .map(|domain| c1().pci(format!("{domain:04x}:01:00.0")).numa(domain))
                .collect(),
            Self::V19 => [3, 1, -1, 2].map(|node| c1().numa(node)).to_vec(),
            Self::V12 => vec![c1(), NicSpec::new(Kind::Cassini1Vf).variant(self)],
            _ => vec![c1().variant(self)],
        }
    }

    /// What the variant is, in a few words for a list.
    pub fn summary(self) -> &'static str {
        match self {
            Self::V1 => "Cassini 1",
            Self::V2 => "Cassini 2",
            Self::V3 => "two NICs with swapped cxi and hsn numbers",
            Self::V4 => "a gap in the cxi numbers, as after a rebind",
            Self::V5 => "device node missing",
            Self::V6 => "nid never set",
            Self::V7 => "empty fru values",
            Self::V8 => "port files without newline (Cassini 1)",
            Self::V9 => "properties/speed -1",
            Self::V10 => "no netdev",
            Self::V11 => "NUMA node unknown",
            Self::V12 => "a VF beside its PF",
            Self::V13 => "older driver with fewer properties",
            Self::V14 => "no retry handler",
            Self::V15 => "PCI device disabled after a fatal error",
            Self::V16 => "files that vanish (dangling symlinks)",
            Self::V17 => "class cxi_user before class cxi (the usual order)",
            Self::V18 => "EX255a: a PCI domain for each of four NICs, NUMA node = domain",
            Self::V19 => "EX235a: NUMA nodes 3, 1, unknown, 2",
        }
    }

    /// Whether a single NIC of this kind can have the variant; never for those of a whole node (V3, V4, V18, V19).
    pub fn fits(self, kind: Kind) -> bool {
        match self {
            Self::V1 | Self::V8 => kind == Kind::Cassini1,
            Self::V2 => kind == Kind::Cassini2,
            Self::V3 | Self::V4 | Self::V18 | Self::V19 => false,
            Self::V12 => kind.is_vf(),
            Self::V7 => !kind.is_vf(),
            _ => true,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = |variant: &Self| variant.to_string().eq_ignore_ascii_case(text);
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| Error::Variant(text.to_owned()))
    }
}
