//! The attributes of one PCI function, as sysfs shows them. Only those that are answered from memory.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::nic::attributes::{Function, Netdev, PcieLink, PcieRate, ReportedSpeed, pcie_root};
use crate::model::nic::numa::{Sibling, by_siblings};
use crate::model::reading::{ReadError, Reading};

/// BAR0 of a physical function (`MMIO_BAR_LEN_PF` in `cass_core.h`); that of a virtual function is smaller.
const PF_BAR0_BYTES: u64 = 1 << 31;
/// Entries of the ring buffer `link_restarts/` (`cass_sysfs.c`).
const LINK_RESTARTS: usize = 10;
/// A NIC has one; more than a few are nobody's.
const NETDEVS: usize = 8;

/// Reads attributes below one directory, such as that of a PCI function.
#[derive(Debug)]
pub struct Attributes<'a> {
    roots: &'a Roots,
    sysfs: &'a Path,
    held: Option<OwnedFd>,
}

impl<'a> Attributes<'a> {
    /// Of the function with this directory.
    pub fn new(roots: &'a Roots, sysfs: &'a Path) -> Self {
        let held = roots.hold(sysfs);
        Self { roots, sysfs, held }
    }

    /// A text.
    pub fn text(&self, attribute: &str) -> Reading<String> {
        let Some(held) = &self.held else {
            return self.roots.text(&self.sysfs.join(attribute));
        };
        let text = self.roots.text_in(held, attribute);
        text.map_err(|reason| ReadError::new(self.sysfs.join(attribute), reason))
    }

    /// A number.
    pub fn number(&self, attribute: &str) -> Reading<u64> {
        let Some(held) = &self.held else {
            return self.roots.number(&self.sysfs.join(attribute));
        };
        let number = self.roots.number_in(held, attribute);
        number.map_err(|reason| ReadError::new(self.sysfs.join(attribute), reason))
    }

    /// The name that a link leads to; none when there is no link.
    pub fn link_name(&self, link: &str) -> Reading<Option<String>> {
        let target = self.roots.link_target(&self.sysfs.join(link))?;
        Ok(target.and_then(|target| Some(target.file_name()?.to_string_lossy().into_owned())))
    }

    /// Inode of a directory.
    pub fn inode(&self, directory: &str) -> Reading<u64> {
        let path = self.sysfs.join(directory);
        let metadata = fs::metadata(self.roots.local_path(&path)).map_err(|error| ReadError::new(path, error))?;
        Ok(metadata.ino())
    }

    /// As the kernel and libcxi tell them apart where the PCI id does not.
    pub fn function(&self) -> Function {
        let has_physical_function = fs::symlink_metadata(self.roots.local_path(&self.sysfs.join("physfn"))).is_ok();
        let bar0 = fs::metadata(self.roots.local_path(&self.sysfs.join("resource0"))).map(|bar| bar.len());
        let is_virtual = has_physical_function || bar0.is_ok_and(|bytes| bytes < PF_BAR0_BYTES);
        if is_virtual {
            Function::Virtual
        } else {
            Function::Physical
        }
    }

    /// NUMA node; none where the firmware names none.
    pub fn numa_node(&self) -> Reading<Option<u32>> {
        let read_error = |reason: String| ReadError::new(self.sysfs.join("numa_node"), reason);
        match self.text("numa_node")?.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(node) => u32::try_from(node)
                .map(Some)
                .map_err(|_| read_error(format!("{node} is no NUMA node"))),
            Err(_) => Err(read_error("not a number".to_owned())),
        }
    }

    /// The same; where the firmware names none, that of the nearest function below the same root, all of which are listed in
    /// `functions`.
    pub fn numa_node_or_near(&self, functions: &Path) -> Reading<Option<u32>> {
        let own = self.numa_node()?;
        let Ok(directory) = self.pci_directory() else {
            return Ok(own);
        };
        Ok(own.or_else(|| by_siblings(&directory, &self.siblings(functions, &directory))))
    }

    /// The other functions below the root of `directory` that have a NUMA node.
    fn siblings(&self, functions: &Path, directory: &Path) -> Vec<Sibling> {
        let root = pcie_root(directory);
        let names = self.roots.names(functions).unwrap_or_default();
        let siblings = names.iter().filter_map(|name| {
            let sibling = Attributes {
                roots: self.roots,
                sysfs: &functions.join(name),
                held: None,
            };
            let place = sibling.pci_directory().ok()?;
            let is_near = place != directory && pcie_root(&place) == root;
            let node = is_near.then(|| sibling.numa_node().ok().flatten())?;
            Some(Sibling {
                node: node?,
                directory: place,
            })
        });
        siblings.collect()
    }

    /// As the kernel's link says, which is `../../../devices/...`.
    pub fn pci_directory(&self) -> Reading<PathBuf> {
        let target = self.roots.link_target(self.sysfs)?.unwrap_or_default();
        let directory: PathBuf = target.iter().skip_while(|name| *name == "..").collect();
        let is_plain = !directory.is_absolute() && directory.iter().all(|name| name != "..");
        if is_plain && directory.file_name() == self.sysfs.file_name() && pcie_root(&directory).is_some() {
            Ok(directory)
        } else {
            Err(ReadError::new(self.sysfs, "not below a PCIe root"))
        }
    }

    /// Vendor id in configuration space.
    pub fn config_vendor(&self) -> Reading<u16> {
        let path = self.sysfs.join("config");
        match self.roots.bytes(&path, 1)?.as_slice() {
            [low, high] => Ok(u16::from_le_bytes([*low, *high])),
            _ => Err(ReadError::new(path, "shorter than a vendor id")),
        }
    }

    /// The last line of an AER attribute, which is the total of the others.
    pub fn aer_total(&self, attribute: &str) -> Reading<u64> {
        let text = self.text(attribute)?;
        let total = text.lines().next_back().and_then(|line| {
            let (name, count) = line.split_once(' ')?;
            name.starts_with("TOTAL_ERR").then(|| count.parse().ok())?
        });
        total.ok_or_else(|| ReadError::new(self.sysfs.join(attribute), "no total"))
    }

    /// When the link was restarted, in Unix seconds. The driver fills the ring from its first entry on (`cass_lmon.c`), so
    /// nothing comes after an unused one, which is 0.
    pub fn link_restarts(&self) -> Reading<Vec<u64>> {
        let entries = (0..LINK_RESTARTS).map(|entry| self.number(&format!("link_restarts/time_{entry}")));
        entries.take_while(|at| *at != Ok(0)).collect()
    }

    /// The PCIe link.
    pub fn pcie_link(&self) -> Reading<PcieLink> {
        let rate = |which: &str| {
            let (speed, width) = (format!("{which}_link_speed"), format!("{which}_link_width"));
            let (words, lanes) = (self.text(&speed)?, self.text(&width)?);
            let read_error = || ReadError::new(self.sysfs.join(&speed), "not a speed and width of a PCIe link");
            PcieRate::parse(&words, &lanes).ok_or_else(read_error)
        };
        Ok(PcieLink {
            current: rate("current")?,
            max: rate("max"),
        })
    }

    /// The Ethernet interfaces by name; none where their directory is missing. It is there and empty while they are in another
    /// network namespace.
    pub fn netdevs(&self) -> Reading<Option<Vec<Netdev>>> {
        let directory = self.sysfs.join("net");
        let names = self.roots.names_if_there(&directory)?;
        if names.is_empty() && !self.roots.local_path(&directory).is_dir() {
            return Ok(None);
        }
        let netdevs = names.into_iter().take(NETDEVS);
        Ok(Some(netdevs.map(|name| self.netdev("net/", name)).collect()))
    }

    /// The Ethernet interface of this name, below `place`.
    pub fn netdev(&self, place: &str, name: String) -> Netdev {
        let attribute = |attribute: &str| format!("{place}{name}/{attribute}");
        Netdev {
            mac: self.text(&attribute("address")),
            addr_assign_type: self.number(&attribute("addr_assign_type")),
            operstate: self.text(&attribute("operstate")),
            carrier: self.number(&attribute("carrier")).map(|carrier| carrier == 1),
            name,
        }
    }

    /// Each attribute that says a speed of the fabric link: of the link driver (`port/speed` of Cassini 1, `port/0/link/speed` of
    /// Cassini 2), of the core driver, of the netdev.
    pub fn reported_speeds(&self, netdev: &Reading<Option<Netdev>>) -> Vec<ReportedSpeed> {
        let of_port = ["port/speed", "port/0/link/speed"].into_iter().filter_map(|attribute| {
            let word = self.text(attribute).ok()?;
            ReportedSpeed::from_word(attribute.to_owned(), &word)
        });
        let of_netdev = netdev
            .iter()
            .flatten()
            .map(|netdev| format!("net/{}/speed", netdev.name));
        let numbers = std::iter::once("properties/speed".to_owned()).chain(of_netdev);
        let numbers = numbers.filter_map(|attribute| {
            let mbps = self.number(&attribute).ok()?;
            ReportedSpeed::from_mbps(attribute, mbps)
        });
        of_port.chain(numbers).collect()
    }

    /// The netdev knows the speed of every generation; `properties/speed` knows that of Cassini 1 only.
    pub fn speed(&self, netdev: &Reading<Option<Netdev>>) -> Reading<u64> {
        let of_netdev = match netdev {
            Ok(Some(netdev)) => self.number(&format!("net/{}/speed", netdev.name)).ok(),
            _ => None,
        };
        of_netdev.map_or_else(|| self.number("properties/speed"), Ok)
    }
}
