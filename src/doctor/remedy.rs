//! What to do about a condition of a NIC.

use crate::health::Check;
use crate::inventory::Nic;

/// What to type or to look at.
pub(super) fn of(check: Check, nic: &Nic) -> String {
    let address = nic.address;
    let cxi = nic.cxi.as_ref().map_or_else(|_| "cxiN".to_owned(), ToString::to_string);
    let netdev = nic.netdev.iter().flatten().map(|netdev| netdev.name.as_str()).next();
    let netdev = netdev.unwrap_or("hsnN");
    match check {
        Check::Present => format!("dmesg | grep {address}"),
        Check::PciEnabled => {
            format!(
                "dmesg | grep {address} ; after a fatal error of the NIC the node needs a reboot, and the card a look"
            )
        }
        Check::Link => format!("cxi_stat -d {cxi} ; look at the cable and at the port of the switch"),
        Check::RetryHandler => {
            format!("systemctl status cxi_rh@{cxi} ; after a crash reboot the node, never restart the retry handler")
        }
        Check::FabricAddress => {
            format!("ip link show {netdev} ; the address comes from the fabric manager: ask it about this port")
        }
        Check::NetdevUp => format!("ip link set {netdev} up"),
        Check::CdiFile => "cxi-cdi-generator verify --cdi-dir /var/run/cdi".to_owned(),
    }
}
