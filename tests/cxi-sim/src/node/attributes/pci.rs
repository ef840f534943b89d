//! Attributes that the kernel's PCI core gives the function (drivers/pci/pci-sysfs.c, drivers/pci/pcie/aer.c).

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::pci::PciAddress;
use super::super::state::NicState;
use super::super::variant::Variant;
use super::{Attribute, File, files, fixed, of};

/// BAR 0 of a PF; the driver and libcxi tell a PF by this size (MMIO_BAR_LEN_PF, cass_core.h).
pub(in super::super) const PHYSICAL_BAR_SIZE: u64 = 2 << 30;
/// BAR 0 of a VF (comment in cass_core.c).
pub(in super::super) const VIRTUAL_BAR_SIZE: u64 = 512 << 20;

/// CPUs of an emulated NUMA node: 16 cores with two threads each, four nodes.
const CORES_PER_NODE: u32 = 16;
const NODES: u32 = 4;

const PCI: [Attribute; 21] = [
    fixed("ari_enabled", "1\n"),
    fixed("broken_parity_status", "0\n").mode(0o644),
    fixed("class", "0x020000\n"),
    of("current_link_speed", link_speed),
    fixed("current_link_width", "16\n"),
    of("device", |nic| format!("{:#06x}\n", nic.kind().device())),
    fixed("dma_mask_bits", "57\n"),
    fixed("driver_override", "(null)\n").mode(0o644),
    of("enable", enable).mode(0o644),
    fixed("irq", "0\n"),
    of("local_cpulist", |nic| local_cpus(nic).0),
    of("local_cpus", |nic| local_cpus(nic).1),
    of("max_link_speed", link_speed),
    fixed("max_link_width", "16\n"),
    of("modalias", |nic| format!("{}\n", modalias(nic))),
    of("numa_node", |nic| format!("{}\n", nic.numa)).mode(0o644),
    fixed("power/control", "on\n").mode(0o644),
    fixed("power/runtime_status", "active\n"),
    of("revision", |nic| {
        if nic.kind().is_cassini2() { "0x01\n" } else { "0x02\n" }.into()
    }),
    of("uevent", uevent).mode(0o644),
    of("vendor", |nic| format!("{:#06x}\n", nic.kind().vendor())),
];

/// What only a PF has. The number of VFs follows the node; a VF comes and goes with that, not by `remove`.
const PHYSICAL: [Attribute; 7] = [
    fixed(
        "aer_dev_correctable",
        "RxErr 0\nBadTLP 0\nBadDLLP 0\nRollover 0\nTimeout 0\nNonFatalErr 0\nCorrIntErr 0\nHeaderOF 0\nTOTAL_ERR_COR 0\n",
    ),
    of("aer_dev_fatal", |_| uncorrectable("TOTAL_ERR_FATAL")),
    of("aer_dev_nonfatal", |_| uncorrectable("TOTAL_ERR_NONFATAL")),
    fixed("remove", "").mode(0o220),
    fixed("sriov_drivers_autoprobe", "1\n").mode(0o644),
    fixed("sriov_numvfs", "0\n").mode(0o644),
    fixed("sriov_totalvfs", "64\n"),
];

/// Names that the kernel gives the bits of the uncorrectable error status register.
const UNCORRECTABLE: [&str; 23] = [
    "Undefined",
    "DLP",
    "SDES",
    "TLP",
    "FCP",
    "CmpltTO",
    "CmpltAbrt",
    "UnxCmplt",
    "RxOF",
    "MalfTLP",
    "ECRC",
    "UnsupReq",
    "ACSViol",
    "UncorrIntErr",
    "BlockedTLP",
    "AtomicOpBlocked",
    "TLPBlockedErr",
    "PoisonTLPBlocked",
    "DMWrReqBlocked",
    "IDECheck",
    "MisIDETLP",
    "PCRC_CHECK",
    "TLPXlatBlocked",
];

/// Files of the PCI directory, except for `resource0`.
pub(in super::super) fn pci(nic: &NicState) -> Vec<File> {
    let mut all = files(&PCI, nic);
    if !nic.kind().is_vf() {
        all.extend(files(&PHYSICAL, nic));
    }
    all.push(File {
        path: Cow::Borrowed("config"),
        mode: 0o644,
        content: Cow::Owned(config(nic).to_vec()),
    });
    all
}

/// Files of the root port above the NIC: any PCI bridge that is no NIC.
pub(in super::super) fn root_port(port: PciAddress) -> Vec<File> {
    let uevent = format!("DRIVER=pcieport\nPCI_CLASS=60400\nPCI_ID=1022:1483\nPCI_SLOT_NAME={port}\n");
    let file = |path, content: Cow<'static, str>| File {
        path: Cow::Borrowed(path),
        mode: if path == "uevent" { 0o644 } else { 0o444 },
        content: Cow::Owned(content.into_owned().into_bytes()),
    };
    vec![
        file("class", "0x060400\n".into()),
        file("device", "0x1483\n".into()),
        file("uevent", uevent.into()),
        file("vendor", "0x1022\n".into()),
    ]
}

/// How often the device was enabled: once, by the driver's probe.
pub(in super::super) fn enable(nic: &NicState) -> String {
    if is_enabled(nic) { "1\n" } else { "0\n" }.into()
}

/// The first 256 bytes of the configuration space: header type 0 and nothing behind it.
pub(in super::super) fn config(nic: &NicState) -> [u8; 256] {
    // A VF answers ffff for vendor and device id (PCIe base specification, SR-IOV); the kernel knows them from the PF.
    let (vendor, device) = if nic.kind().is_vf() {
        (0xffff, 0xffff)
    } else {
        (nic.kind().vendor(), nic.kind().device())
    };
    // Memory space on while the driver holds the device, INTx off as it uses MSI-X; bus master off again after
    // pci_clear_master(). Of these a VF has bus master only: the others are the PF's.
    let command: u16 = match (nic.bound.is_some(), is_enabled(nic), nic.kind().is_vf()) {
        (true, true, false) => 0x0406,
        (true, false, false) => 0x0402,
        (true, true, true) => 0x0004,
        (true, false, true) | (false, _, _) => 0,
    };
    let [vendor_low, vendor_high] = vendor.to_le_bytes();
    let [device_low, device_high] = device.to_le_bytes();
    let [command_low, command_high] = command.to_le_bytes();
    let revision = if nic.kind().is_cassini2() { 1 } else { 2 };
    let header = [
        vendor_low,
        vendor_high,
        device_low,
        device_high,
        command_low,
        command_high,
        0,
        0,
        // Revision, class code 02 00 00 in little endian order.
        revision,
        0x00,
        0x00,
        0x02,
    ];
    let mut config = [0; 256];
    config.iter_mut().zip(header).for_each(|(byte, value)| *byte = value);
    config
}

/// The PCI device's uevent, with DRIVER while it is bound.
pub(in super::super) fn uevent(nic: &NicState) -> String {
    let (vendor, device) = (nic.kind().vendor(), nic.kind().device());
    let driver = if nic.bound.is_some() { "DRIVER=cxi_ss1\n" } else { "" };
    format!(
        "{driver}PCI_CLASS=20000\nPCI_ID={vendor:04X}:{device:04X}\nPCI_SUBSYS_ID={vendor:04X}:0000\nPCI_SLOT_NAME={}\nMODALIAS={}\n",
        nic.pci,
        modalias(nic)
    )
}

fn is_enabled(nic: &NicState) -> bool {
    nic.bound.is_some() && !nic.has(Variant::V15)
}

fn modalias(nic: &NicState) -> String {
    let (vendor, device) = (nic.kind().vendor(), nic.kind().device());
    format!("pci:v{vendor:08X}d{device:08X}sv{vendor:08X}sd00000000bc02sc00i00")
}

/// Cassini 1 is a PCIe 4 device, Cassini 2 a PCIe 5 device.
fn link_speed(nic: &NicState) -> String {
    if nic.kind().is_cassini2() {
        "32.0 GT/s PCIe\n"
    } else {
        "16.0 GT/s PCIe\n"
    }
    .into()
}

fn uncorrectable(total: &str) -> String {
    let mut text = String::new();
    for name in UNCORRECTABLE.iter().copied().chain([total]) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} 0");
    }
    text
}

/// The CPUs near the NIC as list and as mask; all of them where the node is unknown.
fn local_cpus(nic: &NicState) -> (String, String) {
    let threads = CORES_PER_NODE * NODES;
    match u32::try_from(nic.numa).ok().filter(|node| *node < NODES) {
        Some(node) => {
            let first = node * CORES_PER_NODE;
            let last = first + CORES_PER_NODE - 1;
            let half = 0xffff_u64 << first;
            let mask = format!("{:08x},{:08x}", half >> 32, half & 0xffff_ffff);
            (
                format!("{first}-{last},{}-{}\n", first + threads, last + threads),
                format!("{mask},{mask}\n"),
            )
        }
        None => (
            format!("0-{}\n", threads * 2 - 1),
            "ffffffff,ffffffff,ffffffff,ffffffff\n".into(),
        ),
    }
}
