//! Which NICs are on offer at all. Whether one of those may be used now is a matter of [`crate::model::health`].

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::attributes::{CxiName, Function};
use super::inventory::Nic;
use super::pci::{InvalidPciAddress, PciAddress};

/// PCI driver of the NIC, and its name in older releases.
pub const DRIVERS: [&str; 2] = ["cxi_ss1", "cxi_core"];

/// Which kind of PCI functions to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Functions {
    /// Physical functions
    #[default]
    Pf,
    /// Virtual functions (SR-IOV)
    Vf,
    /// Both
    All,
}

impl Functions {
    /// Whether functions of this kind are among them.
    pub fn include(self, function: Function) -> bool {
        match self {
            Self::Pf => function == Function::Physical,
            Self::Vf => function == Function::Virtual,
            Self::All => true,
        }
    }
}

/// A NIC that a site keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// By its address.
    Address(PciAddress),
    /// By its network interface, as long as it has that.
    Netdev(String),
}

/// A text that excludes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidExclusion {
    /// Nearly an address.
    #[error(transparent)]
    Address(#[from] InvalidPciAddress),
    /// A name that moves to another NIC.
    #[error(
        "'{0}' moves from NIC to NIC: give a PCI address such as 0000:21:00.0, or a network interface such as hsn0"
    )]
    Moves(String),
    /// Neither.
    #[error("'{0}' is neither a PCI address such as 0000:21:00.0 nor the name of a network interface such as hsn0")]
    Name(String),
}

impl FromStr for Exclusion {
    type Err = InvalidExclusion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') {
            return Ok(Self::Address(text.parse()?));
        }
        if text.parse::<CxiName>().is_ok() {
            return Err(InvalidExclusion::Moves(text.to_owned()));
        }
        // As the kernel has it (dev_valid_name).
        let is_name =
            (1..16).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
        if is_name && text != "." && text != ".." {
            Ok(Self::Netdev(text.to_owned()))
        } else {
            Err(InvalidExclusion::Name(text.to_owned()))
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Netdev(name) => name.fmt(f),
        }
    }
}

impl Exclusion {
    /// Whether it is about this NIC.
    pub fn is_of(&self, nic: &Nic) -> bool {
        match self {
            Self::Address(address) => nic.address == *address,
            Self::Netdev(name) => nic.netdev.iter().flatten().any(|netdev| netdev.name == *name),
        }
    }
}

/// Whether a PCI driver of this name makes NICs usable for libfabric.
pub fn is_our_driver(driver: &str) -> bool {
    DRIVERS.contains(&driver)
}

/// Why a NIC is kept from containers, whatever its health; none for a NIC on offer.
///
/// A function without a driver stays on offer, as unhealthy: it passes that state whenever its driver is bound anew.
pub fn withheld_from(nic: &Nic, functions: Functions) -> Option<String> {
    if let Ok(Some(driver)) = &nic.driver
        && !is_our_driver(driver)
    {
        return Some(format!("bound to driver {driver}"));
    }
    if functions.include(nic.function) {
        return None;
    }
    Some(match nic.function {
        Function::Physical => "a PF, and no PFs are asked for".to_owned(),
        Function::Virtual => "a VF, and no VFs are asked for".to_owned(),
    })
}
