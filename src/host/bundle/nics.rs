//! The slice of sysfs and of /dev that is the NICs'.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::collection::{Collection, Entry};
use crate::host::files::roots::Roots;
use crate::model::doctor::facts::NodeFacts;
use crate::model::nic::inventory::Nic;
use crate::model::reading::ReadError;

/// A PCI function's own attributes that say something of it; none of them does anything when it is read.
const ATTRIBUTES: [&str; 32] = [
    "aer_dev_correctable",
    "aer_dev_fatal",
    "aer_dev_nonfatal",
    "ari_enabled",
    "broken_parity_status",
    "class",
    "current_link_speed",
    "current_link_width",
    "device",
    "dma_mask_bits",
    "driver",
    "driver_override",
    "enable",
    "iommu_group",
    "irq",
    "local_cpulist",
    "local_cpus",
    "max_link_speed",
    "max_link_width",
    "modalias",
    "numa_node",
    "physfn",
    "power_state",
    "revision",
    "sriov_drivers_autoprobe",
    "sriov_numvfs",
    "sriov_totalvfs",
    "subsystem",
    "subsystem_device",
    "subsystem_vendor",
    "uevent",
    "vendor",
];
/// Directories that the driver answers from memory; `telemetry`, `sensors` and `uc` would wake the card's controller.
const DIRECTORIES: [&str; 7] = [
    "cxi",
    "cxi_user",
    "link_restarts",
    "net",
    "port",
    "properties",
    "traffic_classes",
];
/// The card's texts may wake it, once; so they come last, and not at any price.
const TEXTS: &str = "fru";
const PATIENCE: Duration = Duration::from_secs(5);
/// Below those, of no use here.
const SKIPPED: [&str; 5] = ["power", "queues", "statistics", "wait", "firmware_node"];
/// Deeper than any of them.
const DEPTH: usize = 6;
/// As sysfs gives at most.
const ATTRIBUTE_LIMIT: u64 = 4096;
/// As much of configuration space as everybody may read.
const CONFIG_BYTES: usize = 64;
/// The node's classes and directories that are there even without a NIC.
const FIXED: [&str; 6] = [
    "bus/pci/devices",
    "bus/pci/drivers",
    "class/cxi",
    "class/cxi_user",
    "class/net",
    "module",
];
const CLASSES: [&str; 2] = ["class/cxi", "class/cxi_user"];

type Entries = BTreeMap<PathBuf, Entry>;

pub fn collect(collection: &mut Collection, facts: &NodeFacts) {
    let roots = collection.roots;
    for directory in FIXED {
        collection.directory(&roots.sysfs.join(directory));
    }
    modules(collection, facts);
    for class in CLASSES.map(|class| roots.sysfs.join(class)) {
        for name in roots.names_if_there(&class).unwrap_or_default() {
            collection.place(&class.join(name));
        }
    }
    for nic in facts.inventory.iter().flat_map(|inventory| &inventory.nics) {
        collect_nic(collection, nic);
    }
    uppers(collection, facts);
    let companions = facts.inventory.iter().flat_map(|inventory| &inventory.companion_nodes);
    for companion in companions {
        device_node(collection, &companion.host_path);
    }
}

/// Devices above the NICs' netdevs, by name alone.
fn uppers(collection: &mut Collection, facts: &NodeFacts) {
    for above in facts.network.above.values() {
        let Some(real) = collection.place(&above.directory) else {
            continue;
        };
        let mut found = Walk::new(collection.roots);
        let links = above.uppers.iter().map(|upper| format!("upper_{upper}"));
        for link in links.chain(above.master.iter().map(|_| "master".to_owned())) {
            found.take(&real.join(link), 0);
        }
        found.into(collection);
        collection.directory(&real);
    }
}

fn modules(collection: &mut Collection, facts: &NodeFacts) {
    let directory = collection.roots.sysfs.join("module");
    for module in facts.driver.modules.iter().flatten() {
        let module = directory.join(module);
        collection.directory(&module);
        let parameters = module.join("parameters");
        let names = collection.roots.names_if_there(&parameters).unwrap_or_default();
        let files = names.iter().map(|name| parameters.join(name));
        for path in files.chain(["version", "srcversion"].map(|name| module.join(name))) {
            let text = collection.roots.file(&path, ATTRIBUTE_LIMIT);
            collection.text(&path, None, &text, str::to_owned);
        }
    }
}

fn collect_nic(collection: &mut Collection, nic: &Nic) {
    let roots = collection.roots;
    let Some(real) = collection.place(&nic.sysfs) else {
        return;
    };
    let mut found = Walk::new(roots);
    for name in roots.names(&real).unwrap_or_default() {
        let path = real.join(&name);
        if ATTRIBUTES.contains(&name.as_str()) || name.starts_with("virtfn") {
            found.take(&path, 0);
        } else if DIRECTORIES.contains(&name.as_str()) {
            found.take(&path, DEPTH);
        }
    }
    sizes(&mut found, &real);
    found.into(collection);
    texts(collection, real.join(TEXTS));
    if let Ok(name) = nic.cxi {
        device_node(collection, &roots.dev.join(name.to_string()));
    }
    for netdev in nic.netdev.iter().flatten() {
        collection.place(&roots.sysfs.join("class/net").join(&netdev.name));
    }
    if let Ok(Some(driver)) = &nic.driver {
        collection.directory(&roots.sysfs.join("bus/pci/drivers").join(driver));
    }
}

/// BAR0, by whose size libcxi tells PF and VF apart, and the part of configuration space with the ids.
fn sizes(found: &mut Walk, real: &Path) {
    let bar = real.join("resource0");
    if let Ok(metadata) = fs::symlink_metadata(found.roots.local_path(&bar)) {
        let (mode, bytes) = (metadata.permissions().mode() & 0o7777, metadata.len());
        found.entries.insert(bar, Entry::Size { mode, bytes });
    }
    let config = real.join("config");
    if let Ok(mut bytes) = found.roots.bytes(&config, CONFIG_BYTES as u64) {
        bytes.truncate(CONFIG_BYTES);
        found.entries.insert(config, Entry::File { mode: 0o644, bytes });
    }
}

/// On a thread that is left behind if the card does not answer.
fn texts(collection: &mut Collection, directory: PathBuf) {
    let (sender, receiver) = mpsc::channel();
    let (roots, path) = (collection.roots.clone(), directory.clone());
    std::thread::spawn(move || {
        let mut found = Walk::new(&roots);
        found.take(&path, DEPTH);
        // Nobody waits any more where that took too long.
        let _ = sender.send((found.entries, found.left_out));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok((entries, left_out)) => {
            entries
                .into_iter()
                .for_each(|(path, entry)| collection.put(path, entry));
            left_out
                .into_iter()
                .for_each(|read_error| collection.leave_out(read_error));
        }
        Err(_) => collection.leave_out(ReadError::new(directory, "the card does not answer")),
    }
}

fn device_node(collection: &mut Collection, path: &Path) {
    let Ok(metadata) = fs::metadata(collection.roots.local_path(path)) else {
        return;
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    if metadata.file_type().is_char_device() {
        let node = Entry::Node {
            mode: metadata.permissions().mode() & 0o7777,
            major: number(nix::sys::stat::major(metadata.rdev())),
            minor: number(nix::sys::stat::minor(metadata.rdev())),
        };
        collection.put(path.to_owned(), node);
    } else {
        collection.leave_out(ReadError::new(path, "not a character device"));
    }
}

/// Attributes on the way down from a place in sysfs. No link is followed.
struct Walk<'roots> {
    roots: &'roots Roots,
    entries: Entries,
    left_out: Vec<ReadError>,
}

impl<'roots> Walk<'roots> {
    fn new(roots: &'roots Roots) -> Self {
        Self {
            roots,
            entries: Entries::new(),
            left_out: Vec::new(),
        }
    }

    fn take(&mut self, path: &Path, depth: usize) {
        let here = self.roots.local_path(path);
        let Ok(metadata) = fs::symlink_metadata(&here) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_symlink() {
            let target = fs::read_link(&here).unwrap_or_default();
            self.entries.insert(path.to_owned(), Entry::Link { target });
        } else if metadata.is_dir() && depth > 0 {
            self.entries.insert(path.to_owned(), Entry::Directory { mode });
            let names = self.roots.names(path).unwrap_or_default();
            for name in names.iter().filter(|name| !SKIPPED.contains(&name.as_str())) {
                self.take(&path.join(name), depth - 1);
            }
        } else if metadata.is_file() && mode & 0o444 != 0 {
            match self.roots.bytes(path, ATTRIBUTE_LIMIT) {
                Ok(bytes) => drop(self.entries.insert(path.to_owned(), Entry::File { mode, bytes })),
                Err(read_error) => self.left_out.push(read_error),
            }
        }
    }

    fn into(self, collection: &mut Collection) {
        for (path, entry) in self.entries {
            collection.put(path, entry);
        }
        for read_error in self.left_out {
            collection.leave_out(read_error);
        }
    }
}
