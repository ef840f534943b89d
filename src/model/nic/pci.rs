//! PCI addresses: the identity of a NIC.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Address of a PCI function, written `0000:21:00.0`.
///
/// It outlives driver rebinds, renumbering of `cxiN` and reboots, though not firmware or hardware changes. The kernel
/// prints at least four hexadecimal digits of the domain and five for domains above `ffff` (behind Intel VMD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// A text that is no PCI address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a PCI address such as 0000:21:00.0")]
pub struct InvalidPciAddress(String);

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
    type Err = InvalidPciAddress;

    /// Accepts only the kernel's own spelling, so that an address has one text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .filter(|address| address.to_string() == text)
            .ok_or_else(|| InvalidPciAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let address = PciAddress {
        domain: u32::from_str_radix(domain, 16).ok()?,
        bus: u8::from_str_radix(bus, 16).ok()?,
        device: u8::from_str_radix(device, 16).ok()?,
        function: u8::from_str_radix(function, 16).ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_spelling_round_trips() {
        for text in ["0000:21:00.0", "0001:e1:1f.7", "10000:01:00.0"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let wrong = [
            "",
            "21:00.0",
            "0:21:0.0",
            "0000:21:00",
            "0000:21:20.0",
            "0000:21:00.8",
            "0000:2G:00.0",
            "0000:AA:00.0",
        ];
        for text in wrong
            .iter()
            .chain(&["+000:21:00.0", "00000:21:00.0", "0000:21:00.0 ", "0000:21:00.0\n"])
        {
            assert!(text.parse::<PciAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_sort_by_domain_bus_device_function() {
        let mut sorted: Vec<PciAddress> = ["10000:01:00.0", "0000:e1:00.0", "0000:21:00.1", "0000:21:00.0"]
            .map(|a| a.parse().unwrap())
            .into();
        sorted.sort();
        let texts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["0000:21:00.0", "0000:21:00.1", "0000:e1:00.0", "10000:01:00.0"]);
    }
}
