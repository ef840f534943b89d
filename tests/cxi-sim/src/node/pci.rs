//! PCI addresses and the place of a device below `/sys/devices`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Buses of the four NICs of a PCI domain, as on a two-socket blade with two NICs per socket.
const BUSES: [u8; 4] = [0x21, 0x61, 0xa1, 0xe1];

/// `DDDD:BB:DD.F`: domain, bus, device, function, all hexadecimal, as the kernel prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct PciAddress {
    /// Four digits, or more behind Intel VMD (`drivers/pci/controller/vmd.c` counts from 10000).
    pub domain: u32,
    pub bus: u8,
    pub device: u8,
    pub function: u8,
}

impl PciAddress {
    /// The address of slot `number` of a node: four slots per domain.
    pub fn of_slot(number: u32) -> Option<Self> {
        let bus = BUSES.get(usize::try_from(number % 4).ok()?)?;
        Some(Self {
            domain: number / 4,
            bus: *bus,
            device: 0,
            function: 0,
        })
    }

    /// The slot that [`PciAddress::of_slot`] puts at this bus, if any.
    pub fn slot(self) -> Option<u32> {
        let index = BUSES.iter().position(|bus| *bus == self.bus)?;
        self.domain.checked_mul(4)?.checked_add(u32::try_from(index).ok()?)
    }

    /// The same slot with another function number.
    pub fn with_function(self, function: u8) -> Self {
        Self { function, ..self }
    }

    /// The root port above the device; a device on bus 0 sits on the root bus itself.
    pub fn root_port(self) -> Option<Self> {
        Some(Self {
            bus: self.bus.checked_sub(1)?,
            device: 1,
            function: 1,
            ..self
        })
    }

    /// The directory of the device, relative to `/sys`.
    pub fn sysfs_dir(self) -> String {
        match self.root_port() {
            Some(port) => format!("{}/{self}", port.root_port_dir()),
            None => format!("devices/pci{:04x}:{:02x}/{self}", self.domain, self.bus),
        }
    }

    /// The directory of a root port, relative to `/sys`.
    pub fn root_port_dir(self) -> String {
        format!("devices/pci{:04x}:{:02x}/{self}", self.domain, self.bus)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.device, self.function
        )
    }
}

impl FromStr for PciAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (domain, rest) = text.split_once(':')?;
            let (bus, rest) = rest.split_once(':')?;
            let (device, function) = rest.split_once('.')?;
            let hex = |digits: &str, width| {
                let plain = digits.len() == width && digits.bytes().all(|b| b.is_ascii_hexdigit());
                u16::from_str_radix(digits, 16).ok().filter(|_| plain)
            };
            let byte = |digits: &str, width| hex(digits, width).and_then(|value| u8::try_from(value).ok());
            let (device, function) = (byte(device, 2)?, byte(function, 1)?);
            (device < 32 && function < 8).then_some(())?;
            let number = u32::from_str_radix(domain, 16).ok()?;
            // As the kernel prints it, and no other way.
            (format!("{number:04x}").eq_ignore_ascii_case(domain)).then_some(())?;
            Some(Self {
                domain: number,
                bus: byte(bus, 2)?,
                device,
                function,
            })
        };
        parse().ok_or_else(|| format!("\"{text}\" is no PCI address: write it like 0000:21:00.0"))
    }
}

impl TryFrom<String> for PciAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PciAddress> for String {
    fn from(address: PciAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_fill_four_buses_of_a_domain() {
        let addresses: Vec<_> = (0..6)
            .filter_map(PciAddress::of_slot)
            .map(|pci| pci.to_string())
            .collect();
        assert_eq!(
            addresses,
            [
                "0000:21:00.0",
                "0000:61:00.0",
                "0000:a1:00.0",
                "0000:e1:00.0",
                "0001:21:00.0",
                "0001:61:00.0"
            ]
        );
        for slot in [0, 3, 4, 511] {
            assert_eq!(PciAddress::of_slot(slot).and_then(PciAddress::slot), Some(slot));
        }
    }

    #[test]
    fn a_device_sits_below_its_root_port() {
        let dir = |text: &str| text.parse::<PciAddress>().map(PciAddress::sysfs_dir);
        assert_eq!(
            dir("0000:21:00.0"),
            Ok("devices/pci0000:20/0000:20:01.1/0000:21:00.0".into())
        );
        assert_eq!(dir("0000:00:05.0"), Ok("devices/pci0000:00/0000:00:05.0".into()));
    }

    #[test]
    fn only_whole_addresses_parse() {
        for wrong in [
            "",
            "21:00.0",
            "0000:21:00",
            "0000:21:00.8",
            "0000:21:20.0",
            "000:21:00.0",
            "0000:+1:00.0",
        ] {
            assert!(wrong.parse::<PciAddress>().is_err(), "{wrong}");
        }
        assert_eq!(
            "000A:E1:1f.7".parse::<PciAddress>().map(|pci| pci.to_string()),
            Ok("000a:e1:1f.7".into())
        );
    }
}
