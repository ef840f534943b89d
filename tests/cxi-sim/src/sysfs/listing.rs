//! A listing of one NIC: every name with its mode, and with its link target or content.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Path and what is there. `nic/` is the PCI directory; everything else is below `/sys`, or is `dev/`.
pub type Listing = BTreeMap<String, String>;

/// The most of a file that is read; an attribute of sysfs has no more than a page.
const LIMIT: u64 = 4096;
/// Files that stand for memory of the device: their size matters and nobody reads them through sysfs.
const MEMORY: &str = "resource";

/// Lists the NIC at this PCI address of the host whose tree is at `root`: its PCI directory, its entries in classes, bus and
/// driver, the parameters of the driver's modules, and its device node.
///
/// # Errors
/// When there is no such NIC, or a directory cannot be read. A file that cannot be read is listed with the error.
pub fn list(root: &Path, pci: &str) -> io::Result<Listing> {
    let sys = root.join("sys");
    let mut listing = Listing::new();
    let nic = fs::canonicalize(sys.join("bus/pci/devices").join(pci))?;
    walk(&nic, "nic", &mut listing)?;
    for class in ["class/cxi", "class/cxi_user", "class/net"] {
        entries_of(&sys.join(class), class, pci, &mut listing)?;
    }
    for bus in ["bus/pci/devices", "bus/pci/drivers/cxi_ss1"] {
        entries_of(&sys.join(bus), bus, pci, &mut listing)?;
    }
    for entry in fs::read_dir(sys.join("module"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let parameters = sys.join("module").join(&name).join("parameters");
        if name.starts_with("cxi_") && name != "cxi_emu" && parameters.is_dir() {
            walk(&parameters, &format!("module/{name}/parameters"), &mut listing)?;
        }
    }
    for entry in fs::read_dir(nic.join("cxi_user")).into_iter().flatten() {
        let name = entry?.file_name();
        add(
            &root.join("dev").join(&name),
            format!("dev/{}", name.to_string_lossy()),
            &mut listing,
        );
    }
    Ok(listing)
}

/// The links of a class, bus or driver that lead to the NIC, and a driver's own files.
fn entries_of(directory: &Path, name: &str, pci: &str, listing: &mut Listing) -> io::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        let is_nic = target.as_os_str().to_string_lossy().split('/').any(|part| part == pci);
        if is_nic || name.contains("drivers") {
            add(&entry.path(), path, listing);
        }
    }
    Ok(())
}

fn walk(directory: &Path, name: &str, listing: &mut Listing) -> io::Result<()> {
    add(directory, name.to_owned(), listing);
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, listing)?;
        } else if path == "nic/config" {
            add_config(&entry.path(), listing);
        } else {
            add(&entry.path(), path, listing);
        }
    }
    Ok(())
}

/// The configuration space by what matters of its header; the rest is the kernel's business with the hardware.
fn add_config(path: &Path, listing: &mut Listing) {
    let bytes = fs::read(path).unwrap_or_default();
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default().to_vec();
    // Memory space and bus master; the other bits say how interrupts come.
    let on = part(4..5).first().map(|command| command & 0b110);
    listing.insert("nic/config".to_owned(), format!("{} bytes", bytes.len()));
    listing.insert("nic/config:ids".to_owned(), format!("{:02x?}", part(0..4)));
    listing.insert("nic/config:enabled".to_owned(), format!("{on:?}"));
    listing.insert("nic/config:class".to_owned(), format!("{:02x?}", part(8..12)));
}

fn add(path: &Path, name: String, listing: &mut Listing) {
    let text = describe(path).unwrap_or_else(|error| format!("error: {error}"));
    listing.insert(name, text);
}

fn describe(path: &Path) -> io::Result<String> {
    let metadata = path.symlink_metadata()?;
    let kind = metadata.file_type();
    let mode = metadata.mode() & 0o7777;
    if kind.is_symlink() {
        return Ok(format!("-> {}", fs::read_link(path)?.display()));
    }
    if kind.is_char_device() {
        return Ok(format!("char {mode:04o}"));
    }
    if kind.is_dir() {
        return Ok(format!("dir {mode:04o}"));
    }
    let name = path.file_name().unwrap_or_default().as_bytes();
    let of_memory = name
        .strip_prefix(MEMORY.as_bytes())
        .is_some_and(|rest| !rest.is_empty());
    let content = if of_memory {
        format!("{} bytes", metadata.len())
    } else if mode & 0o444 == 0 {
        String::new()
    } else {
        content(path).unwrap_or_else(|error| format!("error: {error}"))
    };
    Ok(format!("{mode:04o} {content}").trim_end().to_owned())
}

/// Text as it is, everything else in hexadecimal digits.
fn content(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(match std::str::from_utf8(&bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c == '\n') => format!("{text:?}"),
        _ => bytes.iter().fold(format!("{} bytes ", bytes.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }),
    })
}
