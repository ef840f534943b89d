//! Which NICs of a node a spec is about, by kind of function and by name. Pure.

use std::collections::BTreeSet;

use thiserror::Error;

use super::inventory::{Inventory, Nic};
use super::offer::{self, Exclusion, Functions};
use super::pci::PciAddress;

/// A choice of NICs.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    functions: Functions,
    /// None for all.
    only: Option<BTreeSet<PciAddress>>,
    excluded: Vec<Exclusion>,
}

/// A name that does not lead to one NIC.
#[derive(Debug, Error)]
pub enum SelectionError {
    /// To none.
    #[error("no NIC is called '{name}' on this node: {there_is}")]
    Unknown {
        /// As given.
        name: String,
        /// The NICs with all their names, as a phrase.
        there_is: String,
    },
    /// To several, as when an interface is called like another NIC's device.
    #[error("'{name}' may be any of {}: give the PCI address", .addresses.join(", "))]
    Ambiguous {
        /// As given.
        name: String,
        /// Of the NICs.
        addresses: Vec<String>,
    },
}

/// Something that goes by several names.
pub trait Named {
    /// All of them, the PCI address first.
    fn names(&self) -> Vec<String>;
}

impl Named for Nic {
    fn names(&self) -> Vec<String> {
        let of_kernel = self.cxi.iter().flat_map(|cxi| [cxi.to_string(), cxi.0.to_string()]);
        let netdev = self.netdev.iter().flatten().map(|netdev| netdev.name.clone());
        [self.address.to_string()]
            .into_iter()
            .chain(of_kernel)
            .chain(netdev)
            .collect()
    }
}

impl Selection {
    /// The NICs of these functions and, unless there are no names, of these names. A name is a PCI address, `cxiN`, `N`,
    /// or that of the network interface.
    pub fn new(functions: Functions, names: &[String], inventory: &Inventory) -> Result<Self, SelectionError> {
        let addresses = names
            .iter()
            .map(|name| find(name, &inventory.nics).map(|nic| nic.address));
        let only: BTreeSet<PciAddress> = addresses.collect::<Result<_, _>>()?;
        Ok(Self {
            functions,
            only: Some(only).filter(|_| !names.is_empty()),
            excluded: Vec::new(),
        })
    }

    /// The NICs of these functions but for those that the site keeps for itself.
    pub fn without(functions: Functions, excluded: Vec<Exclusion>) -> Self {
        Self {
            functions,
            only: None,
            excluded,
        }
    }

    /// Why a NIC is kept from containers, whatever its health; none for a NIC on offer.
    pub fn withheld(&self, nic: &Nic) -> Option<String> {
        if self.only.as_ref().is_some_and(|only| !only.contains(&nic.address)) {
            return Some("not among the NICs of --device".to_owned());
        }
        if let Some(excluded) = self.excluded.iter().find(|excluded| excluded.is_of(nic)) {
            return Some(format!(
                "kept for the host by 'exclude' of the configuration ({excluded})"
            ));
        }
        offer::withheld_from(nic, self.functions)
    }

    /// Whether it is by choice that a NIC is kept out, and so nothing to warn of.
    pub fn is_by_choice(&self, nic: &Nic) -> bool {
        match &self.only {
            Some(only) => !only.contains(&nic.address),
            None => !self.functions.include(nic.function),
        }
    }
}

/// The NIC of this name among all those of the node.
pub fn find<'a, T: Named>(name: &str, nics: &'a [T]) -> Result<&'a T, SelectionError> {
    let found: Vec<&T> = nics
        .iter()
        .filter(|nic| nic.names().iter().any(|n| n == name))
        .collect();
    match found.as_slice() {
        [nic] => Ok(nic),
        [] => Err(SelectionError::Unknown {
            name: name.to_owned(),
            there_is: names_of_all(nics),
        }),
        several => Err(SelectionError::Ambiguous {
            name: name.to_owned(),
            addresses: several
                .iter()
                .filter_map(|nic| nic.names().into_iter().next())
                .collect(),
        }),
    }
}

fn names_of_all(nics: &[impl Named]) -> String {
    if nics.is_empty() {
        return "it has no CXI NIC".to_owned();
    }
    let described = nics.iter().map(|nic| match nic.names().split_first() {
        Some((address, others)) if !others.is_empty() => format!("{address} ({})", others.join(", ")),
        Some((address, _)) => address.clone(),
        None => String::new(),
    });
    format!("there are {}", described.collect::<Vec<_>>().join(", "))
}
