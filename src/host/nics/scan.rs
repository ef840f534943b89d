//! One look at the node: PCI functions, class `cxi_user` and class `cxi`, joined by PCI address.
//!
//! Only attributes that the driver answers from its memory are read; the card's own texts come from [`super::fru`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::attributes::Attributes;
use super::cordons;
use super::fru::FruTexts;
use super::scan_options::ScanOptions;
use super::scan_progress::ScanProgress;
use crate::host::files::roots::Roots;
use crate::host::libraries;
use crate::model::nic::attributes::{Cordon, CxiName, DeviceNode, Function, Generation};
use crate::model::nic::companion::CompanionNode;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// All PCI functions, below sysfs.
const PCI_FUNCTIONS: &str = "bus/pci/devices";

/// Looks at the node. Remembers nothing but the cards' texts.
#[derive(Debug)]
pub struct Scanner {
    roots: Roots,
    options: ScanOptions,
    fru: Option<FruTexts>,
    cordons: Option<PathBuf>,
}

/// The names under which the two classes list NICs.
#[derive(Debug)]
struct ClassEntries {
    cxi_user: BTreeMap<PciAddress, CxiName>,
    cxi: Reading<BTreeSet<PciAddress>>,
}

impl ClassEntries {
    /// Every PCI function that a class names.
    fn addresses(&self) -> BTreeSet<PciAddress> {
        let in_cxi = self.cxi.iter().flatten();
        self.cxi_user.keys().chain(in_cxi).copied().collect()
    }
}

impl Scanner {
    /// A scanner that leaves the cards' texts and the admin's orders alone.
    pub fn new(roots: Roots, options: impl Into<ScanOptions>) -> Self {
        Self {
            roots,
            options: options.into(),
            fru: None,
            cordons: None,
        }
    }

    /// A scanner for a long life: it has each card's texts read once in the background and calls `on_news` when some
    /// have come; it reads the admin's orders in the directory `cordons`.
    pub fn for_daemon(self, cordons: PathBuf, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            fru: Some(FruTexts::new(on_news)),
            ..self.with_cordons(cordons)
        }
    }

    /// A scanner that reads the admin's orders in this directory.
    pub fn with_cordons(self, cordons: PathBuf) -> Self {
        Self {
            cordons: Some(cordons),
            ..self
        }
    }

    /// The same scanner, with its memory, for something else beside NICs.
    pub fn with_options(&self, options: ScanOptions) -> Self {
        Self {
            roots: self.roots.clone(),
            options,
            fru: self.fru.clone(),
            cordons: self.cordons.clone(),
        }
    }

    /// Everything there is now. Whatever cannot be read of a NIC is noted there and harms no other.
    ///
    /// # Errors
    /// The list of PCI functions cannot be read: that says nothing of the NICs, least of all that there are none.
    pub fn scan(&self) -> Reading<Inventory> {
        self.scan_along(&ScanProgress::default())
    }

    /// The same, with a progress that says where the scan is and which NICs it passes over.
    pub(super) fn scan_along(&self, progress: &ScanProgress) -> Reading<Inventory> {
        self.roots.take_fd_exhausted(); // what came before is of no matter
        let directory = self.roots.sysfs.join(PCI_FUNCTIONS);
        let names = self.roots.names(&directory)?;
        let mut problems = Vec::new();
        let classes = self.class_entries(&mut problems)?;
        let functions = self.functions(&names, &classes, &mut problems);
        let nics = functions.into_iter().map(|(address, generation)| {
            if let Some(known) = progress.passes_over(address) {
                return self.hanging_nic(address, generation, &classes, known);
            }
            progress.move_to(Some(address));
            self.nic(address, generation, &classes)
        });
        let nics: Vec<Nic> = nics.collect();
        let cordoned_absent = self.cordons_of_absent(&nics, &mut problems);
        progress.move_to(None);
        if let Some(fru) = &self.fru {
            fru.keep_only(&classes.cxi_user);
        }
        let libraries = libraries::find(&self.roots, self.options.libraries, &self.options.extra, &mut problems);
        let companion_nodes = self.companion_nodes(&mut problems);
        let inventory = Inventory {
            sysfs: self.roots.sysfs.clone(),
            nics,
            cordoned_absent,
            libraries,
            companion_nodes,
            problems,
        };
        // What went away under the scan, or was out of its reach, must not look like NICs that went away.
        if self.roots.take_fd_exhausted() {
            return Err(ReadError::new(
                "the node",
                "too many open files: raise the limit (ulimit -n, LimitNOFILE=)",
            ));
        }
        self.roots.names(&directory).map(|_| inventory)
    }

    /// A NIC that does not answer, as it was. In another life of it, nothing is known.
    fn hanging_nic(
        &self,
        address: PciAddress,
        id: Reading<(Generation, Option<Function>)>,
        classes: &ClassEntries,
        known: Option<&Nic>,
    ) -> Nic {
        let cxi = classes.cxi_user.get(&address);
        match known {
            Some(nic) if nic.cxi.as_ref().ok() == cxi => Nic {
                answers: Err(ReadError::new(&nic.sysfs, "reading it hangs")),
                cordon: self.cordon(address),
                ..nic.clone()
            },
            _ => Nic::unknown(
                address,
                self.roots.sysfs.join(PCI_FUNCTIONS),
                id.map(|(generation, _)| generation),
            ),
        }
    }

    /// Without class `cxi_user`, its module is not loaded; unless all of sysfs has gone, or the class cannot be listed:
    /// that says nothing of the NICs.
    fn class_entries(&self, problems: &mut Vec<ReadError>) -> Reading<ClassEntries> {
        let mut cxi_user = BTreeMap::new();
        let entries = self.class("cxi_user", problems)?;
        for (address, name) in entries {
            if let Some(older) = cxi_user.insert(address, name) {
                let path = self.roots.sysfs.join("class/cxi_user").join(older.to_string());
                problems.push(ReadError::new(path, format!("{address} is {name} now")));
            }
        }
        let addresses = |entries: Vec<(PciAddress, CxiName)>| entries.into_iter().map(|(address, _)| address).collect();
        let cxi = self.class("cxi", problems).map(addresses);
        Ok(ClassEntries { cxi_user, cxi })
    }

    /// The entries of a class with the PCI function each belongs to, by rising number; none without its module.
    fn class(&self, class: &str, problems: &mut Vec<ReadError>) -> Reading<Vec<(PciAddress, CxiName)>> {
        let directory = self.roots.sysfs.join("class").join(class);
        let mut entries = Vec::new();
        for name in self.roots.names_if_there(&directory)? {
            let path = directory.join(&name);
            match (name.parse(), self.pci_function_of(&path)) {
                (Ok(cxi), Ok(address)) => entries.push((address, cxi)),
                (Err(()), _) => problems.push(ReadError::new(path, "not a name of the form cxiN")),
                (_, Err(read_error)) => problems.push(read_error),
            }
        }
        entries.sort_by_key(|(_, name)| *name);
        Ok(entries)
    }

    fn pci_function_of(&self, class_entry: &Path) -> Reading<PciAddress> {
        let link = class_entry.join("device");
        let target = self
            .roots
            .link_target(&link)?
            .ok_or_else(|| ReadError::new(&link, "missing"))?;
        let name = target
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        name.parse().map_err(|error| ReadError::new(link, error))
    }

    /// Cassini functions by id, and whatever else the classes name: a NIC with an unreadable id is still a NIC.
    fn functions(
        &self,
        names: &[String],
        classes: &ClassEntries,
        problems: &mut Vec<ReadError>,
    ) -> BTreeMap<PciAddress, Reading<(Generation, Option<Function>)>> {
        let directory = self.roots.sysfs.join(PCI_FUNCTIONS);
        let in_classes = classes.addresses();
        let mut functions = BTreeMap::new();
        for (path, address) in names
            .iter()
            .filter_map(|name| Some((directory.join(name), name.parse().ok()?)))
        {
            let in_class = in_classes.contains(&address);
            match self.generation(&path) {
                Ok(Some(generation)) => drop(functions.insert(address, Ok(generation))),
                Ok(None) if in_class => problems.push(ReadError::new(
                    path,
                    "a CXI device with a PCI id that this version does not know: not offered; is there a newer version?",
                )),
                Err(read_error) if in_class => drop(functions.insert(address, Err(read_error))),
                Ok(None) | Err(_) => {}
            }
        }
        for address in in_classes {
            if names.binary_search(&address.to_string()).is_err() {
                problems.push(ReadError::new(
                    directory.join(address.to_string()),
                    "named by a class, but missing",
                ));
            }
        }
        functions
    }

    /// Reads the device id only of the vendors in question: a node has hundreds of PCI functions.
    fn generation(&self, function: &Path) -> Reading<Option<(Generation, Option<Function>)>> {
        let id = |name: &str| -> Reading<u16> {
            let path = function.join(name);
            let number = self.roots.number(&path)?;
            number
                .try_into()
                .map_err(|_| ReadError::new(path, format!("{number:#x} is not a PCI id")))
        };
        match id("vendor")? {
            vendor @ (0x17db | 0x1590) => Ok(Generation::from_pci_id(vendor, id("device")?)),
            _ => Ok(None),
        }
    }

    fn nic(&self, address: PciAddress, id: Reading<(Generation, Option<Function>)>, classes: &ClassEntries) -> Nic {
        let sysfs = self.roots.sysfs.join(PCI_FUNCTIONS).join(address.to_string());
        let read = Attributes::new(&self.roots, &sysfs);
        let cxi = classes.cxi_user.get(&address).copied().ok_or_else(|| {
            ReadError::new(
                self.roots.sysfs.join("class/cxi_user"),
                format!("no entry belongs to {address}"),
            )
        });
        let function = match &id {
            Ok((_, Some(function))) => *function,
            _ => read.function(),
        };
        let netdevs = read.netdevs();
        let netdev_is_elsewhere = netdevs
            .as_ref()
            .is_ok_and(|netdevs| netdevs.as_ref().is_some_and(Vec::is_empty));
        let mut netdevs = netdevs.map(|netdevs| netdevs.unwrap_or_default().into_iter());
        let netdev = netdevs.as_mut().map(Iterator::next).map_err(|error| error.clone());
        Nic {
            address,
            answers: Ok(()),
            function,
            driver: read.link_name("driver"),
            node: cxi.clone().and_then(|name| self.device_node(name)),
            in_class_cxi: classes
                .cxi
                .as_ref()
                .map(|cxi| cxi.contains(&address))
                .map_err(Clone::clone),
            numa_node: read.numa_node(),
            pci_directory: read.pci_directory(),
            driver_instance: read.inode("properties"),
            cordon: self.cordon(address),
            enable_count: read.number("enable"),
            config_vendor: read.config_vendor(),
            link: read.number("properties/link").map(|link| link == 1),
            nid: read.number("properties/nid"),
            retry_handler_eq: read.number("properties/pct_eq"),
            platform: read.number("properties/platform"),
            rgids_available: read.number("properties/rgids_avail"),
            pcie_uncorrectable_errors: read.number("properties/pcie_uncorr_err"),
            aer_fatal_errors: read.aer_total("aer_dev_fatal"),
            link_restarts: read.link_restarts(),
            pcie_link: read.pcie_link(),
            speed_mbps: read.speed(&netdev),
            driver_revision: read.text("properties/driver_rev"),
            fru: match (&self.fru, &cxi) {
                (Some(fru), Ok(name)) => fru.texts(address, *name, &self.roots, &sysfs.join("fru")),
                _ => Err(ReadError::new(sysfs.join("fru"), "not read")),
            },
            generation: id.map(|(generation, _)| generation),
            cxi,
            netdev,
            further_netdevs: netdevs.into_iter().flatten().collect(),
            netdev_is_elsewhere,
            sysfs,
        }
    }

    /// The admin's order, if there is one.
    fn cordon(&self, address: PciAddress) -> Reading<Option<Cordon>> {
        match &self.cordons {
            Some(directory) => cordons::read(directory, address),
            None => Err(ReadError::new("the cordons", "not read")),
        }
    }

    fn cordons_of_absent(&self, nics: &[Nic], problems: &mut Vec<ReadError>) -> BTreeMap<PciAddress, Cordon> {
        let Some(directory) = &self.cordons else {
            return BTreeMap::new();
        };
        let is_there = |address| nics.binary_search_by_key(&address, |nic| nic.address).is_ok();
        cordons::of_others(directory, is_there).unwrap_or_else(|read_error| {
            problems.push(read_error);
            BTreeMap::new()
        })
    }

    /// The node, if it is the character device that class `cxi_user` says it is: a stale node could be anything.
    fn device_node(&self, name: CxiName) -> Reading<DeviceNode> {
        let path = self.roots.dev.join(name.to_string());
        let read_error = |reason: String| ReadError::new(&path, reason);
        let metadata = fs::metadata(self.roots.local_path(&path)).map_err(|error| read_error(error.to_string()))?;
        if !metadata.file_type().is_char_device() {
            return Err(read_error("not a character device".to_owned()));
        }
        let node = DeviceNode {
            major: nix::sys::stat::major(metadata.rdev()),
            minor: nix::sys::stat::minor(metadata.rdev()),
            path: path.clone(),
        };
        let numbers = format!("{}:{}", node.major, node.minor);
        match self.roots.text(
            &self
                .roots
                .sysfs
                .join("class/cxi_user")
                .join(name.to_string())
                .join("dev"),
        ) {
            Ok(expected) if expected != numbers => Err(read_error(format!(
                "a stale node: it is {numbers}, the driver's is {expected}"
            ))),
            _ => Ok(node),
        }
    }

    fn companion_nodes(&self, problems: &mut Vec<ReadError>) -> Vec<CompanionNode> {
        let mut nodes = Vec::new();
        for companion in &self.options.companions {
            let host_path = self.roots.dev.join(&companion.name);
            let is_there = fs::metadata(self.roots.local_path(&host_path))
                .is_ok_and(|metadata| metadata.file_type().is_char_device());
            if is_there {
                let container_path = companion.container_path();
                nodes.push(CompanionNode {
                    container_path,
                    host_path,
                });
            } else if !companion.is_optional {
                problems.push(ReadError::new(
                    host_path,
                    "no such device node: containers go without it",
                ));
            }
        }
        nodes
    }
}
