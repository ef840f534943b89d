//! The ledgers as files, one for each NIC, in a directory that outlives us and not the boot, as services do.

use std::path::{Path, PathBuf};

use super::keeper::Store;
use crate::host::files::{atomic_file, read};
use crate::model::isolation::ledger::{Ledger, SCHEMA};
use crate::model::nic::pci::PciAddress;

/// Behind a NIC's address.
const SUFFIX: &str = ".ledger.json";
/// Thousands of pods.
const LIMIT: u64 = 8 << 20;

/// The ledger of one NIC.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    directory: PathBuf,
    name: String,
}

impl LedgerFile {
    /// In this directory.
    pub fn new(directory: &Path, address: PciAddress) -> Self {
        Self {
            directory: directory.to_owned(),
            name: format!("{address}{SUFFIX}"),
        }
    }

    /// What it says; none where there is none.
    ///
    /// # Errors
    /// It is there and cannot be used: nobody knows what we have made.
    pub fn read(&self) -> Result<Option<Ledger>, String> {
        let path = self.directory.join(&self.name);
        let failed = |reason: String| format!("{}: {reason}", path.display());
        let text = match read::text_within(&path, LIMIT) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| failed(error.to_string()))?,
        };
        let ledger: Ledger = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        if ledger.schema == SCHEMA {
            Ok(Some(ledger))
        } else {
            Err(failed(format!(
                "its form is {}, and this program knows {SCHEMA}",
                ledger.schema
            )))
        }
    }
}

impl LedgerFile {
    /// There is nothing to be kept.
    pub fn remove(&self) {
        // An empty one that stays says the same.
        let _ = atomic_file::remove(&self.directory, &self.name);
    }
}

impl Store for LedgerFile {
    fn keep(&self, ledger: &Ledger) -> Result<(), String> {
        let text = serde_json::to_string_pretty(ledger).map_err(|error| error.to_string())? + "\n";
        atomic_file::replace(&self.directory, &self.name, None, text.as_bytes())
            .map(drop)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    }
}

/// The NICs that have a ledger in this directory.
pub fn addresses(directory: &Path) -> Vec<PciAddress> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut addresses: Vec<PciAddress> = names
        .filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok())
        .collect();
    addresses.sort_unstable();
    addresses
}
