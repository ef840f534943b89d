//! How far a look at the node has come: for whoever waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// Where a look is, and which NICs it passes over.
#[derive(Debug, Clone, Default)]
pub struct ScanProgress {
    at: Arc<Mutex<(u64, Option<PciAddress>)>>,
    passed_over: BTreeMap<PciAddress, Option<Nic>>,
}

impl ScanProgress {
    /// A look that has not begun, and is to pass over these NICs, of which this was known.
    pub(super) fn passing_over(nics: impl Iterator<Item = (PciAddress, Option<Nic>)>) -> Self {
        Self {
            at: Arc::default(),
            passed_over: nics.collect(),
        }
    }

    /// The look is at this NIC now, or at none in particular.
    pub(super) fn move_to(&self, address: Option<PciAddress>) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = (at.0.wrapping_add(1), address);
    }

    /// For a NIC to be passed over, what was known of it.
    pub(super) fn passes_over(&self, address: PciAddress) -> Option<Option<&Nic>> {
        self.passed_over.get(&address).map(Option::as_ref)
    }

    /// A count of the steps, and where the look is.
    pub(super) fn position(&self) -> (u64, Option<PciAddress>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
