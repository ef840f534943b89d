//! What one scan found: the NICs of the node and the host's libraries, as an immutable value.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::pci::PciAddress;

/// A value read from the host, or why it could not be read.
pub type Reading<T> = Result<T, ReadError>;

/// Why a value is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// What was read.
    pub path: PathBuf,
    /// What went wrong, as a phrase.
    pub reason: String,
}

impl ReadError {
    /// A value at `path` that is unknown because of `reason`.
    pub fn new(path: impl Into<PathBuf>, reason: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Everything one scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Root of sysfs on the host.
    pub sysfs: PathBuf,
    /// Sorted by PCI address.
    pub nics: Vec<Nic>,
    /// Libraries of libfabric's CXI provider, in the order in which they are mounted.
    pub libraries: Vec<Library>,
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
    /// The Ethernet interface; none when it is absent or in another network namespace.
    pub netdev: Reading<Option<Netdev>>,
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
    /// `link_restarts/`: Unix seconds of the last automatic restarts of the link, ten at most. PF only.
    pub link_restarts: Reading<Vec<u64>>,
    /// The PCIe link.
    pub pcie_link: Reading<PcieLink>,
    /// Link speed in Mb/s.
    pub speed_mbps: Reading<u64>,
    /// `properties/driver_rev`: git hash of the driver.
    pub driver_revision: Reading<String>,
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
            generation,
            function: Function::Physical,
            driver: none(&sysfs),
            cxi: none(&sysfs),
            in_class_cxi: none(&sysfs),
            node: none(&sysfs),
            netdev: none(&sysfs),
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
            link_restarts: none(&sysfs),
            pcie_link: none(&sysfs),
            speed_mbps: none(&sysfs),
            driver_revision: none(&sysfs),
            fru: none(&sysfs),
            sysfs,
        }
    }

    /// Root of the PCIe hierarchy the NIC hangs off, such as `pci0000:20`.
    pub fn pcie_root(&self) -> Option<&str> {
        pcie_root(self.pci_directory.as_ref().ok()?)
    }
}

/// Root of the PCIe hierarchy that a directory of sysfs is below.
pub fn pcie_root(directory: &Path) -> Option<&str> {
    let mut names = directory.iter().filter_map(|name| name.to_str());
    names.find(|name| name.starts_with("pci") && name.contains(':'))
}

/// Generation of the NIC's chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Slingshot 200 Gb/s.
    Cassini1,
    /// Slingshot 400 Gb/s.
    Cassini2,
}

impl Generation {
    /// The generation of PCI function `vendor:device` and whether that id stands for virtual functions only
    /// (`cass_core.h`); none for foreign functions. Cassini 1 has one id for both kinds of function.
    pub fn from_pci_id(vendor: u16, device: u16) -> Option<(Self, Option<Function>)> {
        match (vendor, device) {
            (0x17db, 0x0501) => Some((Self::Cassini1, None)),
            (0x1590, 0x0371) => Some((Self::Cassini2, None)),
            (0x1590, 0x0372) => Some((Self::Cassini2, Some(Function::Virtual))),
            _ => None,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cassini1 => "Cassini 1",
            Self::Cassini2 => "Cassini 2",
        })
    }
}

/// Kind of PCI function (SR-IOV).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// PF.
    Physical,
    /// VF.
    Virtual,
}

/// Kernel name `cxiN`. It moves when the driver is bound anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CxiName(pub u32);

impl fmt::Display for CxiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cxi{}", self.0)
    }
}

impl FromStr for CxiName {
    type Err = ();

    /// Accepts the kernel's own spelling only: `cxi` and a number without leading zeros.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text
            .strip_prefix("cxi")
            .and_then(|digits| digits.parse().ok())
            .ok_or(())?;
        let name = Self(number);
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// The character device `/dev/cxiN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNode {
    /// Path on the host.
    pub path: PathBuf,
    /// Device numbers. Dynamic: they never go into a CDI spec.
    pub major: u64,
    /// See `major`.
    pub minor: u64,
}

/// The Ethernet interface of a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netdev {
    /// Interface name, of the site's choosing.
    pub name: String,
    /// Ethernet address. A fabric address (AMA) is locally administered.
    pub mac: Reading<String>,
    /// `NET_ADDR_*`; 3 (set) for a fabric address.
    pub addr_assign_type: Reading<u64>,
    /// RFC 2863 state as the kernel words it.
    pub operstate: Reading<String>,
    /// Whether there is a carrier. Unreadable while the interface is administratively down.
    pub carrier: Reading<bool>,
}

/// An admin's order to keep a NIC from new pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cordon {
    /// The file that stands for it.
    pub file: PathBuf,
    /// The admin's words; may be empty.
    pub reason: String,
}

/// Speed and width of a PCIe link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcieLink {
    /// As it runs.
    pub current: PcieRate,
    /// As the function could run.
    pub max: PcieRate,
}

/// How much a PCIe link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcieRate {
    /// MT/s of each lane.
    pub mega_transfers: u64,
    /// Width.
    pub lanes: u64,
}

impl PcieRate {
    /// From the kernel's words for them, such as `16.0 GT/s PCIe` and `16`; none for any other words.
    pub fn parse(speed: &str, width: &str) -> Option<Self> {
        let (whole, tenth) = speed.split_once(" GT/s")?.0.split_once('.')?;
        let (whole, tenth): (u64, u64) = (whole.parse().ok()?, tenth.parse().ok().filter(|tenth| *tenth < 10)?);
        Some(Self {
            mega_transfers: whole.checked_mul(1_000)?.checked_add(tenth * 100)?,
            lanes: width.parse().ok().filter(|lanes| *lanes > 0)?,
        })
    }
}

/// Texts of the field-replaceable unit. Empty where the card has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fru {
    /// Such as "400Gb 2P NIC Mezz".
    pub description: String,
    /// Part number.
    pub part_number: String,
    /// Serial number.
    pub serial_number: String,
}

impl fmt::Display for Fru {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labelled = |label: &str, text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                format!("{label}{text}")
            }
        };
        let parts = [
            self.description.clone(),
            labelled("part number ", &self.part_number),
            labelled("serial number ", &self.serial_number),
        ];
        let known: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(if known.is_empty() {
            "a card without texts"
        } else {
            "card: "
        })?;
        f.write_str(&known.join(", "))
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
    /// Multiarch triplet of its machine, such as `x86_64-linux-gnu`.
    pub triplet: &'static str,
}

/// A device node beside the NICs' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanionNode {
    /// Path in the container.
    pub container_path: PathBuf,
    /// Path on the host.
    pub host_path: PathBuf,
}

/// A device node that containers get beside the NICs' own; written `/dev/xpmem?` where it may be missing on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its path below the directory of device nodes.
    pub name: PathBuf,
    /// Whether its absence is nothing to speak of.
    pub is_optional: bool,
}

impl Companion {
    /// What programs of libfabric use where the host has it.
    pub fn usual() -> Vec<Self> {
        let usual = ["xpmem", "gdrdrv"].map(|name| Self {
            name: name.into(),
            is_optional: true,
        });
        usual.into()
    }

    /// Its path in a container.
    pub fn container_path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }
}

impl fmt::Display for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_optional { "?" } else { "" };
        write!(f, "{}{mark}", self.container_path().display())
    }
}

/// A text that names no device node.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "'{0}' is not the path of a device node: write it as /dev/xpmem, with a question mark behind if it may be missing"
)]
pub struct InvalidCompanion(String);

impl FromStr for Companion {
    type Err = InvalidCompanion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, is_optional) = match text.strip_suffix('?') {
            Some(path) => (path, true),
            None => (text, false),
        };
        let name = path.strip_prefix("/dev/").map(Path::new);
        let is_plain = |name: &&Path| {
            let mut components = name.components().peekable();
            components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
        };
        match name.filter(is_plain).filter(|_| !path.contains('\0')) {
            Some(name) => Ok(Self {
                name: name.to_owned(),
                is_optional,
            }),
            None => Err(InvalidCompanion(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cxi_name_is_the_whole_number() {
        assert_eq!("cxi0".parse(), Ok(CxiName(0)));
        assert_eq!("cxi10".parse(), Ok(CxiName(10)));
        for text in [
            "cxi",
            "cxi01",
            "cxi+1",
            "cxi-1",
            "cx",
            "hsn0",
            "cxi1x",
            "cxi99999999999",
        ] {
            assert_eq!(text.parse::<CxiName>(), Err(()), "{text}");
        }
    }

    #[test]
    fn the_kernels_words_for_a_pcie_link_are_understood() {
        let rate = |mega_transfers, lanes| Some(PcieRate { mega_transfers, lanes });
        assert_eq!(PcieRate::parse("16.0 GT/s PCIe", "16"), rate(16_000, 16));
        assert_eq!(PcieRate::parse("2.5 GT/s PCIe", "1"), rate(2_500, 1));
        for (speed, width) in [
            ("Unknown", "16"),
            ("16 GT/s", "16"),
            ("16.0 GT/s PCIe", "0"),
            ("16.0 GT/s PCIe", ""),
            ("16.00 GT/s", "x16"),
            ("99999999999999999999.0 GT/s", "16"),
            ("18446744073709551615.0 GT/s", "16"),
        ] {
            assert_eq!(PcieRate::parse(speed, width), None, "{speed} {width}");
        }
    }

    #[test]
    fn all_three_pci_ids_are_known_and_no_other() {
        assert_eq!(
            Generation::from_pci_id(0x17db, 0x0501),
            Some((Generation::Cassini1, None))
        );
        assert_eq!(
            Generation::from_pci_id(0x1590, 0x0371),
            Some((Generation::Cassini2, None))
        );
        assert_eq!(
            Generation::from_pci_id(0x1590, 0x0372),
            Some((Generation::Cassini2, Some(Function::Virtual)))
        );
        assert_eq!(Generation::from_pci_id(0x17db, 0x0371), None);
        assert_eq!(Generation::from_pci_id(0x1590, 0x0501), None);
    }
}
