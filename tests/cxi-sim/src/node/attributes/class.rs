//! The entries of the classes cxi (cxi_core.c), cxi_user (cxi_user_core.c) and net (cxi_eth.c).

use super::super::state::{Bound, NicState};
use super::{Attribute, File, POWER, files, fixed, of};

/// Class cxi has no device node, so no `dev` file and an empty uevent.
const CXI: [Attribute; 1] = [fixed("uevent", "").mode(0o644)];

const CXI_USER: [Attribute; 2] = [
    of("dev", |nic| of_bound(nic, |bound| format!("{}\n", bound.device))),
    of("uevent", |nic| {
        of_bound(nic, |Bound { cxi, device, .. }| {
            let (major, minor) = (device.major, device.minor);
            format!("MAJOR={major}\nMINOR={minor}\nDEVNAME=cxi{cxi}\nDEVMODE=0666\n")
        })
    })
    .mode(0o644),
];

/// An interface that is up, with the MAC that the fabric manager gave it (addr_assign_type 3 is NET_ADDR_SET).
const NETDEV: [Attribute; 16] = [
    fixed("addr_assign_type", "3\n"),
    fixed("addr_len", "6\n"),
    of("address", |nic| {
        nic.mac().map(|byte| format!("{byte:02x}")).join(":") + "\n"
    }),
    fixed("carrier", "1\n").mode(0o644),
    fixed("carrier_changes", "2\n"),
    fixed("carrier_down_count", "1\n"),
    fixed("carrier_up_count", "1\n"),
    fixed("dev_port", "0\n"),
    fixed("duplex", "full\n"),
    fixed("flags", "0x1003\n").mode(0o644),
    of("ifindex", |nic| format!("{}\n", ifindex(nic))),
    fixed("mtu", "9000\n").mode(0o644),
    fixed("operstate", "up\n"),
    of("speed", |nic| {
        if nic.kind().is_cassini2() {
            "400000\n"
        } else {
            "200000\n"
        }
        .into()
    }),
    fixed("type", "1\n"),
    of("uevent", |nic| {
        format!(
            "INTERFACE={}\nIFINDEX={}\n",
            nic.netdev.as_deref().unwrap_or_default(),
            ifindex(nic)
        )
    })
    .mode(0o644),
];

/// The entry is there while the driver is bound, and only then.
fn of_bound(nic: &NicState, text: impl FnOnce(Bound) -> String) -> String {
    nic.bound.map(text).unwrap_or_default()
}

fn ifindex(nic: &NicState) -> u32 {
    nic.bound.map(|bound| bound.ifindex).unwrap_or_default()
}

fn with_power(table: &[Attribute], nic: &NicState) -> Vec<File> {
    let mut all = files(table, nic);
    all.extend(files(&POWER, nic));
    all
}

/// Files of class cxi's entry.
pub(in super::super) fn cxi(nic: &NicState) -> Vec<File> {
    with_power(&CXI, nic)
}

/// Files of class cxi_user's entry; its directory `clients/` is apart.
pub(in super::super) fn cxi_user(nic: &NicState) -> Vec<File> {
    with_power(&CXI_USER, nic)
}

/// Files of the netdev.
pub(in super::super) fn netdev(nic: &NicState) -> Vec<File> {
    with_power(&NETDEV, nic)
}
