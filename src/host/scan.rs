//! One look at the node: PCI functions, class `cxi_user` and class `cxi`, joined by PCI address.
//!
//! Only attributes that the driver answers from its memory are read; the card's own texts come from [`super::fru`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::fru::FruTexts;
use super::libraries::{self, Libraries};
use super::lookout::Course;
use super::roots::Roots;
use crate::inventory::{
    CompanionNode, CxiName, DeviceNode, Function, Generation, Inventory, Netdev, Nic, Reading, Unread, pcie_root,
};
use crate::pci::PciAddress;

/// All PCI functions, below sysfs.
const PCI_FUNCTIONS: &str = "bus/pci/devices";
/// BAR0 of a physical function (`MMIO_BAR_LEN_PF` in `cass_core.h`); that of a virtual function is smaller.
const PF_BAR0_BYTES: u64 = 1 << 31;
/// Beside the NICs' own nodes, where the host has them.
const COMPANIONS: [&str; 2] = ["xpmem", "gdrdrv"];

/// Looks at the node. Remembers nothing but the cards' texts.
#[derive(Debug)]
pub struct Scanner {
    roots: Roots,
    libraries: Libraries,
    fru: Option<FruTexts>,
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
    /// A scanner that leaves the cards' texts alone.
    pub fn new(roots: Roots, libraries: Libraries) -> Self {
        Self {
            roots,
            libraries,
            fru: None,
        }
    }

    /// A scanner for a long life: it has each card's texts read once in the background and calls `on_news` when some
    /// have come.
    pub fn with_fru_texts(roots: Roots, libraries: Libraries, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            roots,
            libraries,
            fru: Some(FruTexts::new(on_news)),
        }
    }

    /// Everything there is now. Whatever cannot be read of a NIC is noted there and harms no other.
    ///
    /// # Errors
    /// The list of PCI functions cannot be read: that says nothing of the NICs, least of all that there are none.
    pub fn scan(&self) -> Reading<Inventory> {
        self.scan_along(&Course::default())
    }

    /// The same along a course that says where the scan is and which NICs it passes over.
    pub(super) fn scan_along(&self, course: &Course) -> Reading<Inventory> {
        self.roots.is_starved(); // what came before is of no matter
        let directory = self.roots.sysfs.join(PCI_FUNCTIONS);
        let names = self.roots.names(&directory)?;
        let mut problems = Vec::new();
        let classes = self.class_entries(&mut problems)?;
        let functions = self.functions(&names, &classes, &mut problems);
        let nics = functions.into_iter().map(|(address, generation)| {
            if let Some(known) = course.passes_over(address) {
                return self.hanging_nic(address, generation, &classes, known);
            }
            course.is_at(Some(address));
            self.nic(address, generation, &classes)
        });
        let nics = nics.collect();
        course.is_at(None);
        if let Some(fru) = &self.fru {
            fru.keep_only(&classes.cxi_user);
        }
        let libraries = libraries::find(&self.roots, self.libraries, &mut problems);
        let inventory = Inventory {
            sysfs: self.roots.sysfs.clone(),
            nics,
            libraries,
            companion_nodes: self.companion_nodes(),
            problems,
        };
        // What went away under the scan, or was out of its reach, must not look like NICs that went away.
        if self.roots.is_starved() {
            return Err(Unread::new(
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
            Some(nic) if nic.cxi.as_ref().ok() == cxi => nic.clone(),
            _ => Nic::unread(
                address,
                self.roots.sysfs.join(PCI_FUNCTIONS),
                id.map(|(generation, _)| generation),
            ),
        }
    }

    /// Without class `cxi_user`, its module is not loaded; unless all of sysfs has gone, or the class cannot be listed:
    /// that says nothing of the NICs.
    fn class_entries(&self, problems: &mut Vec<Unread>) -> Reading<ClassEntries> {
        let mut cxi_user = BTreeMap::new();
        let entries = self.class("cxi_user", problems)?;
        for (address, name) in entries {
            if let Some(older) = cxi_user.insert(address, name) {
                let path = self.roots.sysfs.join("class/cxi_user").join(older.to_string());
                problems.push(Unread::new(path, format!("{address} is {name} now")));
            }
        }
        let addresses = |entries: Vec<(PciAddress, CxiName)>| entries.into_iter().map(|(address, _)| address).collect();
        let cxi = self.class("cxi", problems).map(addresses);
        Ok(ClassEntries { cxi_user, cxi })
    }

    /// The entries of a class with the PCI function each belongs to, by rising number; none without its module.
    fn class(&self, class: &str, problems: &mut Vec<Unread>) -> Reading<Vec<(PciAddress, CxiName)>> {
        let directory = self.roots.sysfs.join("class").join(class);
        let mut entries = Vec::new();
        for name in self.roots.names_if_there(&directory)? {
            let path = directory.join(&name);
            match (name.parse(), self.pci_function_of(&path)) {
                (Ok(cxi), Ok(address)) => entries.push((address, cxi)),
                (Err(()), _) => problems.push(Unread::new(path, "not a name of the form cxiN")),
                (_, Err(unread)) => problems.push(unread),
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
            .ok_or_else(|| Unread::new(&link, "missing"))?;
        let name = target
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        name.parse().map_err(|error| Unread::new(link, error))
    }

    /// Cassini functions by id, and whatever else the classes name: a NIC with an unreadable id is still a NIC.
    fn functions(
        &self,
        names: &[String],
        classes: &ClassEntries,
        problems: &mut Vec<Unread>,
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
                Ok(None) if in_class => problems.push(Unread::new(
                    path,
                    "a CXI device with a PCI id that this version does not know: not offered; is there a newer version?",
                )),
                Err(unread) if in_class => drop(functions.insert(address, Err(unread))),
                Ok(None) | Err(_) => {}
            }
        }
        for address in in_classes {
            if names.binary_search(&address.to_string()).is_err() {
                problems.push(Unread::new(
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
                .map_err(|_| Unread::new(path, format!("{number:#x} is not a PCI id")))
        };
        match id("vendor")? {
            vendor @ (0x17db | 0x1590) => Ok(Generation::of_pci_id(vendor, id("device")?)),
            _ => Ok(None),
        }
    }

    fn nic(&self, address: PciAddress, id: Reading<(Generation, Option<Function>)>, classes: &ClassEntries) -> Nic {
        let sysfs = self.roots.sysfs.join(PCI_FUNCTIONS).join(address.to_string());
        let number = |attribute: &str| self.roots.number(&sysfs.join(attribute));
        let cxi = classes.cxi_user.get(&address).copied().ok_or_else(|| {
            Unread::new(
                self.roots.sysfs.join("class/cxi_user"),
                format!("no entry belongs to {address}"),
            )
        });
        let function = match &id {
            Ok((_, Some(function))) => *function,
            _ => self.function(&sysfs),
        };
        let netdev = self.netdev(&sysfs);
        Nic {
            address,
            function,
            driver: self.link_name(&sysfs.join("driver")),
            node: cxi.clone().and_then(|name| self.device_node(name)),
            in_class_cxi: classes
                .cxi
                .as_ref()
                .map(|cxi| cxi.contains(&address))
                .map_err(Clone::clone),
            numa_node: self.numa_node(&sysfs.join("numa_node")),
            pci_directory: self.pci_directory(&sysfs),
            enable_count: number("enable"),
            config_vendor: self.config_vendor(&sysfs.join("config")),
            link: number("properties/link").map(|link| link == 1),
            nid: number("properties/nid"),
            retry_handler_eq: number("properties/pct_eq"),
            platform: number("properties/platform"),
            speed_mbps: self.speed(&sysfs, &netdev),
            driver_revision: self.roots.text(&sysfs.join("properties/driver_rev")),
            fru: match (&self.fru, &cxi) {
                (Some(fru), Ok(name)) => fru.of(address, *name, &self.roots, &sysfs.join("fru")),
                _ => Err(Unread::new(sysfs.join("fru"), "not read")),
            },
            generation: id.map(|(generation, _)| generation),
            cxi,
            netdev,
            sysfs,
        }
    }

    fn link_name(&self, link: &Path) -> Reading<Option<String>> {
        let target = self.roots.link_target(link)?;
        Ok(target.and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned())))
    }

    /// As the kernel and libcxi tell them apart where the PCI id does not.
    fn function(&self, sysfs: &Path) -> Function {
        let has_physical_function = fs::symlink_metadata(self.roots.here(&sysfs.join("physfn"))).is_ok();
        let bar0 = fs::metadata(self.roots.here(&sysfs.join("resource0"))).map(|bar| bar.len());
        let is_virtual = has_physical_function || bar0.is_ok_and(|bytes| bytes < PF_BAR0_BYTES);
        if is_virtual {
            Function::Virtual
        } else {
            Function::Physical
        }
    }

    /// The node, if it is the character device that class `cxi_user` says it is: a stale node could be anything.
    fn device_node(&self, name: CxiName) -> Reading<DeviceNode> {
        let path = self.roots.dev.join(name.to_string());
        let unread = |reason: String| Unread::new(&path, reason);
        let metadata = fs::metadata(self.roots.here(&path)).map_err(|error| unread(error.to_string()))?;
        if !metadata.file_type().is_char_device() {
            return Err(unread("not a character device".to_owned()));
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
            Ok(expected) if expected != numbers => Err(unread(format!(
                "a stale node: it is {numbers}, the driver's is {expected}"
            ))),
            _ => Ok(node),
        }
    }

    fn numa_node(&self, path: &Path) -> Reading<Option<u32>> {
        let text = self.roots.text(path)?;
        match text.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(node) => u32::try_from(node)
                .map(Some)
                .map_err(|_| Unread::new(path, format!("{node} is no NUMA node"))),
            Err(_) => Err(Unread::new(path, "not a number")),
        }
    }

    /// As the kernel's link says, which is `../../../devices/...`.
    fn pci_directory(&self, sysfs: &Path) -> Reading<PathBuf> {
        let target = self.roots.link_target(sysfs)?.unwrap_or_default();
        let directory: PathBuf = target.iter().skip_while(|name| *name == "..").collect();
        let is_plain = !directory.is_absolute() && directory.iter().all(|name| name != "..");
        if is_plain && directory.file_name() == sysfs.file_name() && pcie_root(&directory).is_some() {
            Ok(directory)
        } else {
            Err(Unread::new(sysfs, "not below a PCIe root"))
        }
    }

    fn config_vendor(&self, path: &Path) -> Reading<u16> {
        match self.roots.bytes(path, 1)?.as_slice() {
            [low, high] => Ok(u16::from_le_bytes([*low, *high])),
            _ => Err(Unread::new(path, "shorter than a vendor id")),
        }
    }

    fn netdev(&self, sysfs: &Path) -> Reading<Option<Netdev>> {
        let directory = sysfs.join("net");
        let Some(name) = self.roots.names_if_there(&directory)?.into_iter().next() else {
            return Ok(None);
        };
        let path: PathBuf = directory.join(&name);
        Ok(Some(Netdev {
            mac: self.roots.text(&path.join("address")),
            addr_assign_type: self.roots.number(&path.join("addr_assign_type")),
            operstate: self.roots.text(&path.join("operstate")),
            carrier: self.roots.number(&path.join("carrier")).map(|carrier| carrier == 1),
            name,
        }))
    }

    /// The netdev knows the speed of every generation; `properties/speed` knows that of Cassini 1 only.
    fn speed(&self, sysfs: &Path, netdev: &Reading<Option<Netdev>>) -> Reading<u64> {
        let of_netdev = match netdev {
            Ok(Some(netdev)) => self
                .roots
                .number(&sysfs.join("net").join(&netdev.name).join("speed"))
                .ok(),
            _ => None,
        };
        of_netdev.map_or_else(|| self.roots.number(&sysfs.join("properties/speed")), Ok)
    }

    fn companion_nodes(&self) -> Vec<CompanionNode> {
        let nodes = COMPANIONS.map(|name| CompanionNode {
            container_path: Path::new("/dev").join(name),
            host_path: self.roots.dev.join(name),
        });
        let is_there = |node: &CompanionNode| {
            fs::metadata(self.roots.here(&node.host_path)).is_ok_and(|metadata| metadata.file_type().is_char_device())
        };
        nodes.into_iter().filter(is_there).collect()
    }
}
