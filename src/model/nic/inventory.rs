//! What one scan found: the NICs of the node and the host's libraries, as an immutable value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::attributes::{
    Cordon, CxiName, DeviceNode, Fru, Function, Generation, Netdev, PcieLink, ReportedSpeed, pcie_root,
};
use super::companion::CompanionNode;
use super::pci::PciAddress;
use crate::model::libs::choice::LibraryChoice;
use crate::model::reading::{ReadError, Reading};
use crate::model::services::default_service::Life;
use crate::model::services::lingering::{self, Ending, Lingering};
use crate::model::services::service::Service;

/// Everything one scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Root of sysfs on the host.
    pub sysfs: PathBuf,
    /// Sorted by PCI address.
    pub nics: Vec<Nic>,
    /// The admin's orders for NICs that are not there.
    pub cordoned_absent: BTreeMap<PciAddress, Cordon>,
    /// Libraries of libfabric's CXI provider, in the order in which they are mounted.
    pub libraries: Vec<Library>,
    /// Which of several libraries of a name these are.
    pub library_choices: Vec<LibraryChoice>,
    /// The whole directory of libfabric, where containers get it.
    pub library_directory: Option<Box<LibraryDirectory>>,
    /// Further device nodes that CXI programs use where the host has them, such as `/dev/xpmem`.
    pub companion_nodes: Vec<CompanionNode>,
    /// What could not be made sense of, for an admin.
    pub problems: Vec<ReadError>,
}

/// One Cassini PCI function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// The identity of the NIC.
    pub address: PciAddress,
    /// Directory of the PCI function in sysfs, as seen on the host.
    pub sysfs: PathBuf,
    /// Whether it answers at all. While a read of it hangs, the other values are those of the last look that ended.
    pub answers: Reading<()>,
    /// From the PCI vendor and device id.
    pub generation: Reading<Generation>,
    /// Physical or virtual function.
    pub function: Function,
    /// Name of the bound PCI driver; none when the function is unbound.
    pub driver: Reading<Option<String>>,
    /// Kernel name of the device, from class `cxi_user`, which owns the device node.
    pub cxi: Reading<CxiName>,
    /// Whether class `cxi` lists the NIC, too, as it does once the driver has finished its probe.
    pub in_class_cxi: Reading<bool>,
    /// The usable device node.
    pub node: Reading<DeviceNode>,
    /// The Ethernet interface, the first by name; none when it is absent or in another network namespace.
    pub netdev: Reading<Option<Netdev>>,
    /// Further ones behind that, by name.
    pub further_netdevs: Vec<Netdev>,
    /// Whether it has one, and in another network namespace.
    pub netdev_is_elsewhere: bool,
    /// NUMA node; none where the firmware names none (sysfs says -1).
    pub numa_node: Reading<Option<u32>>,
    /// Where the PCI function really is below sysfs, such as `devices/pci0000:20/0000:20:01.1/0000:21:00.0`.
    pub pci_directory: Reading<PathBuf>,
    /// Inode of the driver's directory `properties`: another one for each probe of the driver, as the kernel counts up.
    pub driver_instance: Reading<u64>,
    /// The admin's order to keep the NIC from new pods.
    pub cordon: Reading<Option<Cordon>>,
    /// How often the PCI function was enabled; 0 after a fatal error (`cass_core.c`, `cass_disable_device`).
    pub enable_count: Reading<u64>,
    /// Vendor id in PCI configuration space; 0xffff when the function no longer answers.
    pub config_vendor: Reading<u16>,
    /// `properties/link`: whether the fabric link runs.
    pub link: Reading<bool>,
    /// `properties/nid`: address on the fabric; 0xffffffff when not set.
    pub nid: Reading<u64>,
    /// `properties/pct_eq`: event queue of the retry handler; 0 when none is registered.
    pub retry_handler_eq: Reading<u64>,
    /// `properties/platform`: 0 is hardware (ASIC).
    pub platform: Reading<u64>,
    /// `properties/rgids_avail`: resource groups that are free.
    pub rgids_available: Reading<u64>,
    /// `properties/pcie_uncorr_err`: uncorrectable PCIe errors as the driver counts them, without AER, too.
    pub pcie_uncorrectable_errors: Reading<u64>,
    /// Total of `aer_dev_fatal`: fatal PCIe errors as the kernel counts them.
    pub aer_fatal_errors: Reading<u64>,
    /// Total of `aer_dev_nonfatal`: errors that lost a transaction and not the link, as the kernel counts them.
    pub aer_nonfatal_errors: Reading<u64>,
    /// `link_restarts/`: Unix seconds of the last automatic restarts of the link, ten at most. PF only.
    pub link_restarts: Reading<Vec<u64>>,
    /// The PCIe link.
    pub pcie_link: Reading<PcieLink>,
    /// Link speed in Mb/s.
    pub speed_mbps: Reading<u64>,
    /// The same as each attribute has it that has one.
    pub reported_speeds: Vec<ReportedSpeed>,
    /// `properties/driver_rev`: git hash of the driver.
    pub driver_revision: Reading<String>,
    /// Its CXI services, as the driver told them last.
    pub services: Reading<Vec<Service>>,
    /// Those of them whose end has been refused for too long.
    pub lingering: Vec<Lingering>,
    /// Whether each pod gets a service of its own; none where the site does not have them made.
    pub isolation: Option<Reading<()>>,
    /// Texts of the card, read once in the life of a NIC because they may wake its microcontroller.
    pub fru: Reading<Fru>,
}

impl Nic {
    /// A NIC in `functions`, the directory of PCI functions, that does not answer.
    pub fn unknown(address: PciAddress, functions: PathBuf, generation: Reading<Generation>) -> Self {
        fn none<T>(sysfs: &Path) -> Reading<T> {
            Err(ReadError::new(sysfs, "does not answer"))
        }
        let sysfs = functions.join(address.to_string());
        Self {
            address,
            answers: none(&sysfs),
            generation,
            function: Function::Physical,
            driver: none(&sysfs),
            cxi: none(&sysfs),
            in_class_cxi: none(&sysfs),
            node: none(&sysfs),
            netdev: none(&sysfs),
            further_netdevs: Vec::new(),
            netdev_is_elsewhere: false,
            numa_node: none(&sysfs),
            pci_directory: none(&sysfs),
            driver_instance: none(&sysfs),
            cordon: none(&sysfs),
            enable_count: none(&sysfs),
            config_vendor: none(&sysfs),
            link: none(&sysfs),
            nid: none(&sysfs),
            retry_handler_eq: none(&sysfs),
            platform: none(&sysfs),
            rgids_available: none(&sysfs),
            pcie_uncorrectable_errors: none(&sysfs),
            aer_fatal_errors: none(&sysfs),
            aer_nonfatal_errors: none(&sysfs),
            link_restarts: none(&sysfs),
            pcie_link: none(&sysfs),
            speed_mbps: none(&sysfs),
            reported_speeds: Vec::new(),
            driver_revision: none(&sysfs),
            services: none(&sysfs),
            lingering: Vec::new(),
            isolation: None,
            fru: none(&sysfs),
            sysfs,
        }
    }

    /// Its present life; none where sysfs does not tell one from the next.
    pub fn life(&self) -> Option<Life> {
        Some(Life {
            cxi: self.cxi.as_ref().ok()?.to_string(),
            instance: *self.driver_instance.as_ref().ok()?,
        })
    }

    /// With these notes of services that are to end, `now` in Unix seconds.
    pub fn note_endings(&mut self, notes: &[Ending], now: u64, after: Duration) {
        self.lingering = match (&self.services, self.life()) {
            (Ok(services), Some(life)) => lingering::lingering(notes, &life, services, now, after),
            _ => Vec::new(),
        };
    }

    /// Its default service, if that admits everybody now; an error where that is not known. A virtual function has none of its own.
    pub fn open_default_service(&self) -> Reading<Option<&Service>> {
        if self.function == Function::Virtual {
            return Ok(None);
        }
        let services = self.services.as_ref().map_err(Clone::clone)?;
        Ok(services
            .iter()
            .find(|service| service.is_default() && service.is_open()))
    }

    /// The names of its interfaces.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let first = self.netdev.iter().flatten();
        first.chain(&self.further_netdevs).map(|netdev| netdev.name.as_str())
    }

    /// Root of the PCIe hierarchy the NIC hangs off, such as `pci0000:20`.
    pub fn pcie_root(&self) -> Option<&str> {
        pcie_root(self.pci_directory.as_ref().ok()?)
    }
}

/// A shared library of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The name programs ask the loader for.
    pub soname: String,
    /// The file itself on the host, with all links followed.
    pub file: PathBuf,
    /// Every path on the host by which it was found: the file and its links.
    pub paths: Vec<PathBuf>,
    /// Paths by which another library asks for it, whatever directories are searched: containers have it there, too.
    pub asked_by_path: Vec<PathBuf>,
    /// Multiarch triplet of its machine, such as `x86_64-linux-gnu`.
    pub triplet: &'static str,
}

/// A directory of libraries that containers get as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryDirectory {
    /// On the host, with all links followed.
    pub host: PathBuf,
    /// In a container: where its libraries look for each other.
    pub container: PathBuf,
}
