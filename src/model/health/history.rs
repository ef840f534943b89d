//! What one look at a NIC cannot show: counters as they were at first, a retry handler that has died, restarts that were
//! ahead of the clock, and an order that cannot be read any more. Kept from look to look, and over our own restarts, until the
//! node is rebooted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::nic::attributes::Function;
use crate::model::nic::inventory::Nic;
use crate::model::nic::offer::is_our_driver;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::Reading;

/// What is remembered of one NIC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NicHistory {
    /// Which probe of the driver this is about; none before the first.
    #[serde(rename = "life")] // as earlier versions wrote it
    driver_instance: Option<u64>,
    /// `properties/pcie_uncorr_err` as it was first; 0 once the counter has begun anew.
    pub pcie_uncorrectable: Option<u64>,
    /// The total of `aer_dev_fatal` as it was first; 0 once the counter has begun anew.
    pub aer_fatal: Option<u64>,
    /// What has been seen of the retry handler.
    pub retry_handler: RetryHandler,
    /// Restarts of the link that were in the future when they were seen, as after the clock was set back. When they were, nobody
    /// knows; they must not count once the clock comes to them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub restarts_ahead: BTreeSet<u64>,
    /// The reason of the admin's order as it was read last: that it cannot be read takes it back for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cordon: Option<String>,
}

/// What has been seen of a NIC's retry handler while one driver instance was bound to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryHandler {
    /// Nothing yet: it comes some time after the driver.
    #[default]
    Unseen,
    /// It is there.
    Alive,
    /// It was there and is not any more.
    Died,
    /// It died and came back. Only a reboot mends that (HPE's troubleshooting guide).
    Suspect,
}

impl RetryHandler {
    /// With another driver instance, another one starts; the hardware is the same.
    fn reborn(self) -> Self {
        match self {
            Self::Suspect => Self::Suspect,
            Self::Unseen | Self::Alive | Self::Died => Self::Unseen,
        }
    }

    fn seen(self, is_registered: bool) -> Self {
        match (self, is_registered) {
            (Self::Unseen | Self::Alive, true) => Self::Alive,
            (Self::Died | Self::Suspect, true) | (Self::Suspect, false) => Self::Suspect,
            (Self::Alive | Self::Died, false) => Self::Died,
            (Self::Unseen, false) => Self::Unseen,
        }
    }
}

impl NicHistory {
    /// Takes note of what a look has found. Whatever could not be read changes nothing.
    pub fn note(&mut self, nic: &Nic, unix_seconds: u64) {
        if let Ok(driver) = &nic.driver
            && !driver.as_deref().is_some_and(is_our_driver)
        {
            // Whatever is bound next is another instance, even if the kernel should give its directory the same number.
            self.driver_instance = None;
        } else if let Ok(driver_instance) = nic.driver_instance {
            if self.driver_instance != Some(driver_instance) {
                self.driver_instance = Some(driver_instance);
                self.retry_handler = self.retry_handler.reborn();
            }
            if let (Function::Physical, Ok(queue)) = (nic.function, &nic.retry_handler_eq) {
                self.retry_handler = self.retry_handler.seen(*queue != 0);
            }
        }
        if let Ok(restarts) = &nic.link_restarts {
            self.restarts_ahead.retain(|ahead| restarts.contains(ahead));
            self.restarts_ahead
                .extend(restarts.iter().filter(|at| **at > unix_seconds));
        }
        if let Ok(cordon) = &nic.cordon {
            self.cordon = cordon.as_ref().map(|cordon| cordon.reason.clone());
        }
        start(&mut self.pcie_uncorrectable, &nic.pcie_uncorrectable_errors);
        start(&mut self.aer_fatal, &nic.aer_fatal_errors);
    }

    /// Which probe of the driver this is about.
    pub fn driver_instance(&self) -> Option<u64> {
        self.driver_instance
    }
}

/// A counter that went down has begun anew, as when the driver was loaded again: all that it shows has come since.
fn start(start: &mut Option<u64>, count: &Reading<u64>) {
    let Ok(count) = *count else { return };
    match *start {
        None => *start = Some(count),
        Some(before) if count < before => *start = Some(0),
        Some(_) => {}
    }
}

/// What is remembered of every NIC that was ever there since the node was booted.
pub type NicHistories = BTreeMap<PciAddress, NicHistory>;

#[derive(Serialize, Deserialize)]
struct Document {
    boot_id: String,
    nics: BTreeMap<String, NicHistory>,
}

/// As a text to keep, good for this boot of the node only.
pub fn to_text(histories: &NicHistories, boot_id: &str) -> String {
    let nics = histories
        .iter()
        .map(|(address, history)| (address.to_string(), history.clone()));
    let document = Document {
        boot_id: boot_id.to_owned(),
        nics: nics.collect(),
    };
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// From a text that was kept. Nothing, if it is from another boot, or nobody knows from which.
///
/// # Errors
/// Why it is no such text.
pub fn from_text(text: &str, boot_id: &str) -> Result<NicHistories, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if boot_id.is_empty() || document.boot_id != boot_id {
        return Ok(NicHistories::new());
    }
    let nics = document.nics.into_iter().map(|(address, history)| {
        let address = address.parse().map_err(|error| format!("{error}"))?;
        Ok((address, history))
    });
    nics.collect()
}
