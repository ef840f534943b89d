//! The values that a NIC's attributes have.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::model::reading::Reading;

/// `CXI_INVALID_NID`, the value of `properties/nid` before the fabric address is set.
pub const INVALID_NID: u64 = 0xffff_ffff;

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

impl Generation {
    /// What its card's fabric link can do, in Mb/s.
    pub const fn full_speed_mbps(self) -> u64 {
        match self {
            Self::Cassini1 => 200_000,
            Self::Cassini2 => 400_000,
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
    /// What stands for it.
    pub file: PathBuf,
    /// The admin's words, or why they cannot be read; may be empty.
    pub reason: String,
}

/// Speed and width of a PCIe link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcieLink {
    /// As it runs.
    pub current: PcieRate,
    /// As the function could run, where the kernel knows.
    pub max: Reading<PcieRate>,
}

/// How much a PCIe link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcieRate {
    /// MT/s of each lane.
    pub mega_transfers: u64,
    /// Width.
    pub lanes: u64,
}

/// Of the fabric link, as one attribute has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedSpeed {
    /// Which, below the NIC's directory.
    pub attribute: String,
    /// Mb/s.
    pub mbps: u64,
}

impl ReportedSpeed {
    /// From a number in Mb/s; none for the numbers that stand for none.
    pub fn from_mbps(attribute: String, mbps: u64) -> Option<Self> {
        (mbps != 0 && mbps < u64::from(u32::MAX)).then_some(Self { attribute, mbps })
    }

    /// From the link drivers' words, such as `BS_200G` and `ck400G`; none for words without a speed.
    pub fn from_word(attribute: String, word: &str) -> Option<Self> {
        let number = word.trim_end().strip_suffix('G')?;
        let digits = number.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |last| last + 1);
        let gigabits: u64 = number.get(digits..)?.parse().ok()?;
        Self::from_mbps(attribute, gigabits.checked_mul(1000)?)
    }
}

impl PcieRate {
    /// From any kernel's words for them, such as `16.0 GT/s PCIe`, `16 GT/s`, and `16` or `x16`; none for any other words.
    pub fn parse(speed: &str, width: &str) -> Option<Self> {
        let number = speed.split_once(" GT/s")?.0;
        let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
        let width = width.strip_prefix('x').unwrap_or(width);
        let (whole, tenth): (u64, u64) = (whole.parse().ok()?, tenth.parse().ok().filter(|_| tenth.len() == 1)?);
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
        assert_eq!(PcieRate::parse("16 GT/s", "x16"), rate(16_000, 16));
        assert_eq!(PcieRate::parse("8 GT/s PCIe", "8"), rate(8_000, 8));
        for (speed, width) in [
            ("Unknown", "16"),
            ("Unknown speed", "16"),
            ("16. GT/s", "16"),
            ("GT/s", "16"),
            ("16", "16"),
            ("16 GT/s", "xx16"),
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
    fn a_speed_is_in_the_link_drivers_words_or_it_is_none() {
        let of = |word| ReportedSpeed::from_word("x".to_owned(), word).map(|speed| speed.mbps);
        for (word, mbps) in [
            ("BS_200G", 200_000),
            ("CD_50G", 50_000),
            ("ck400G\n", 400_000),
            ("bj100G", 100_000),
        ] {
            assert_eq!(of(word), Some(mbps), "{word}");
        }
        for word in [
            "NA",
            "invalid",
            "unknown",
            "no-link",
            "error",
            "",
            "G",
            "CD_G",
            "0G",
            "99999999999999999999G",
        ] {
            assert_eq!(of(word), None, "{word}");
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
