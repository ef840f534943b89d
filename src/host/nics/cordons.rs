//! The admin's orders to keep a NIC from new pods: a file each, named by PCI address, with the reason as its first line.

use std::path::{Path, PathBuf};

use crate::host::files::read::look_at;
use crate::model::cdi::drift::Seen;
use crate::model::nic::attributes::Cordon;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// Longer words of an admin are cut: they go into every log line about the NIC.
const REASON_LIMIT: usize = 256;

/// The directory of the orders below the daemon's own.
pub fn directory(run_dir: &Path) -> PathBuf {
    run_dir.join("cordoned")
}

/// The order for this NIC, if there is one.
pub fn read(directory: &Path, address: PciAddress) -> Reading<Option<Cordon>> {
    let file = directory.join(address.to_string());
    match look_at(&file) {
        Seen::Absent => Ok(None),
        Seen::Other(reason) => Err(ReadError::new(file, reason)),
        Seen::File { text, .. } => Ok(Some(Cordon {
            reason: first_line(&text),
            file,
        })),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    line.chars()
        .filter(|character| !character.is_control())
        .take(REASON_LIMIT)
        .collect()
}
