//! The admin's orders to keep a NIC from new pods: whatever has the name of its PCI address in their directory. A file says the
//! reason in its first line; anything else is an order all the same.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::host::files::held_dir::HeldDir;
use crate::host::files::{atomic_file, read};
use crate::model::nic::attributes::Cordon;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// Longer words of an admin are cut: they go into every log line about the NIC.
const REASON_LIMIT: usize = 256;
/// More of a file is not looked at; of four bytes a character.
const READ_LIMIT: u64 = 4 * 1024;
/// Far above the NICs of any node; stops a directory without end.
const COUNT_LIMIT: usize = 4096;

/// The directory of the orders below the daemon's own.
pub fn directory(run_dir: &Path) -> PathBuf {
    run_dir.join("cordoned")
}

/// Every order by the NIC that it is for, whether that is there or not.
pub type Orders = BTreeMap<PciAddress, Cordon>;

/// All orders.
///
/// # Errors
/// The directory cannot be listed, or something in it cannot be looked at: that does not mean that there is no order.
pub fn read_all(directory: &Path) -> Reading<Orders> {
    let unreadable = |error| ReadError::new(directory, error);
    let held = match HeldDir::open(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Orders::new()),
        held => held.map_err(unreadable)?,
    };
    let entries = fs::read_dir(held.path()).map_err(unreadable)?;
    let mut orders = Orders::new();
    for entry in entries.take(COUNT_LIMIT) {
        let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() else {
            continue;
        };
        let Some(address) = name.parse::<PciAddress>().ok() else {
            continue;
        };
        // Only the one spelling stands for the NIC.
        if address.to_string() == name
            && let Some(cordon) = of(&held, directory, address)?
        {
            orders.insert(address, cordon);
        }
    }
    Ok(orders)
}

/// The order for this NIC, if there is one.
fn of(held: &HeldDir, directory: &Path, address: PciAddress) -> Reading<Option<Cordon>> {
    let name = address.to_string();
    let (here, file) = (held.path().join(&name), directory.join(name));
    match fs::symlink_metadata(&here) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::new(file, error)),
        Ok(metadata) => Ok(Some(Cordon {
            reason: reason(&here, &metadata),
            file,
        })),
    }
}

/// What stands for an order for this NIC, if something does.
///
/// # Errors
/// The directory cannot be looked at.
pub fn standing(directory: &Path, address: PciAddress) -> io::Result<Option<Metadata>> {
    let stands = HeldDir::open(directory).and_then(|held| fs::symlink_metadata(held.path().join(address.to_string())));
    match stands {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        stands => stands.map(Some),
    }
}

/// Gives the order, for this reason; makes the directory if it is missing.
///
/// # Errors
/// What the system says, as a whole text.
pub fn give(directory: &Path, address: PciAddress, reason: &str) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot write into {}: {error}", directory.display());
    // What stands at its name is looked at next.
    atomic_file::make_directory(directory).map_err(cannot)?;
    let held = HeldDir::open(directory).map_err(cannot)?;
    let written = atomic_file::replace(
        &held.path(),
        &address.to_string(),
        None,
        format!("{reason}\n").as_bytes(),
    );
    written
        .map(drop)
        .map_err(|error| held.named(&format!("{:#}", anyhow::Error::new(error))))
}

/// Takes the order back, whatever it is. Returns whether there was one.
///
/// # Errors
/// It cannot be removed, such as a directory with something in it.
pub fn remove(directory: &Path, address: PciAddress) -> io::Result<bool> {
    let removed = HeldDir::open(directory).and_then(|held| {
        let file = held.path().join(address.to_string());
        if fs::symlink_metadata(&file)?.is_dir() {
            fs::remove_dir(&file)
        } else {
            fs::remove_file(&file)
        }
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

/// What kind of thing stands for an order that is no file.
pub fn oddity(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else {
        Some("no file")
    }
}

fn reason(file: &Path, metadata: &Metadata) -> String {
    let words = match oddity(metadata) {
        Some(what) => Err(format!("it is {what}")),
        None => words(file),
    };
    words.unwrap_or_else(|reason| format!("the reason cannot be read: {reason}"))
}

/// The first line that says something.
fn words(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read =
        read::regular(file, nix::libc::O_NOFOLLOW).and_then(|file| file.take(READ_LIMIT).read_to_end(&mut bytes));
    let is_cut = read.map_err(|error| error.to_string())? as u64 == READ_LIMIT;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|whole| std::str::from_utf8(whole).ok())
            .unwrap_or_default(),
        Err(_) => return Err("not a text".to_owned()),
    };
    let lines = text.lines().map(printable);
    Ok(lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default())
}

fn printable(line: &str) -> String {
    let visible = line.chars().filter(|character| !character.is_control());
    visible.take(REASON_LIMIT).collect::<String>().trim().to_owned()
}
