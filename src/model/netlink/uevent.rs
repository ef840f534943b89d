//! Kernel uevents: `ACTION@DEVPATH`, then `KEY=VALUE` texts, each ended by NUL.

use super::text;

/// PCI vendors of Cassini, as `PCI_ID` spells them.
const VENDORS: [&str; 2] = ["17DB", "1590"];

/// A uevent that may concern a NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// What happened, such as `add`, `remove`, `bind`, `unbind`, `move`, `change`.
    pub action: String,
    /// The subsystem that it happened in.
    pub subsystem: String,
    /// The device below `/sys`.
    pub device: String,
}

/// The event in a message of the kernel; none for events of devices that are no NIC.
pub fn parse(message: &[u8]) -> Option<Uevent> {
    let mut texts = message.split(|byte| *byte == 0).filter_map(text);
    let (action, device) = texts.next()?.split_once('@')?;
    let values: Vec<(&str, &str)> = texts.filter_map(|text| text.split_once('=')).collect();
    let value = |key: &str| values.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let subsystem = value("SUBSYSTEM")?;
    let may_concern_us = match subsystem {
        "cxi" | "cxi_user" => true,
        // The NICs' netdevs have a PCI function; a node with pods has many that have none.
        "net" => !device.starts_with("/devices/virtual/"),
        "pci" => value("PCI_ID").is_none_or(|id| VENDORS.iter().any(|vendor| id.starts_with(vendor))),
        "module" => device.starts_with("/module/cxi"),
        _ => false,
    };
    may_concern_us.then(|| Uevent {
        action: action.to_owned(),
        subsystem: subsystem.to_owned(),
        device: device.to_owned(),
    })
}

/// Messages as the kernel sends them.
#[cfg(test)]
pub(super) fn samples() -> Vec<Vec<u8>> {
    [
        "add@/devices/pci0000:20/0000:21:00.0/cxi_user/cxi0\0ACTION=add\0SUBSYSTEM=cxi_user\0DEVNAME=cxi0\0SEQNUM=1\0",
        "bind@/devices/pci0000:20/0000:21:00.0\0ACTION=bind\0SUBSYSTEM=pci\0PCI_ID=17DB:0501\0SEQNUM=2\0",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerns_us(text: &str) -> bool {
        parse(text.as_bytes()).is_some()
    }

    #[test]
    fn an_event_tells_what_happened_to_which_device() {
        let event = parse(&samples()[0]).unwrap();
        assert_eq!(
            (event.action.as_str(), event.subsystem.as_str(), event.device.as_str()),
            ("add", "cxi_user", "/devices/pci0000:20/0000:21:00.0/cxi_user/cxi0")
        );
    }

    #[test]
    fn only_what_may_be_a_nic_concerns_us() {
        for ours in [
            "remove@/devices/pci0000:20/0000:21:00.0/cxi/cxi0\0SUBSYSTEM=cxi\0",
            "move@/devices/pci0000:20/0000:21:00.0/net/hsn0\0SUBSYSTEM=net\0INTERFACE=hsn0\0",
            "add@/devices/pci0000:20/0000:21:00.0\0SUBSYSTEM=pci\0PCI_ID=1590:0371\0",
            "remove@/devices/pci0000:20/0000:21:00.0\0SUBSYSTEM=pci\0",
            "add@/module/cxi_ss1\0SUBSYSTEM=module\0",
        ] {
            assert!(concerns_us(ours), "{ours}");
        }
        for foreign in [
            "add@/devices/virtual/net/veth0\0SUBSYSTEM=net\0INTERFACE=veth0\0",
            "add@/devices/pci0000:00/0000:00:01.0\0SUBSYSTEM=pci\0PCI_ID=8086:0501\0",
            "add@/module/nfs\0SUBSYSTEM=module\0",
            "change@/devices/virtual/mem/null\0SUBSYSTEM=mem\0",
            "add@/devices/cxi\0",
            "libudev\0SUBSYSTEM=cxi\0",
            "",
        ] {
            assert!(!concerns_us(foreign), "{foreign}");
        }
    }
}
