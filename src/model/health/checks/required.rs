//! Conditions without which a NIC is of no use: what libfabric needs of it, and what the fabric needs.

use crate::model::health::check_result::CheckResult;
use crate::model::health::history::{NicHistory, RetryHandler};
use crate::model::nic::attributes::{Function, Netdev};
use crate::model::nic::inventory::Nic;
use crate::model::nic::offer::{DRIVERS, is_our_driver};
use crate::model::reading::Reading;

/// `CXI_INVALID_NID`, the value of `properties/nid` before the fabric address is set.
const INVALID_NID: u64 = 0xffff_ffff;
/// Value of `properties/platform` on hardware; retry handlers run on nothing else.
const PLATFORM_ASIC: u64 = 0;
/// `NET_ADDR_SET`: the address was set from outside, as the fabric manager's agent does.
const NET_ADDR_SET: u64 = 3;

pub(super) fn present(nic: &Nic) -> CheckResult {
    match &nic.driver {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(None) => return CheckResult::bad("no driver is bound").with_attribute(nic, "driver", "missing"),
        Ok(Some(driver)) if !is_our_driver(driver) => {
            return CheckResult::bad(format!("bound to a driver other than {}", DRIVERS.join(" or ")))
                .with_attribute(nic, "driver", driver);
        }
        Ok(Some(_)) => {}
    }
    if let Err(read_error) = &nic.cxi {
        return CheckResult::bad("not in class cxi_user: is the module cxi_user loaded?")
            .with_evidence(&read_error.path, &read_error.reason);
    }
    match &nic.node {
        Err(read_error) => {
            CheckResult::bad("no usable device node").with_evidence(&read_error.path, &read_error.reason)
        }
        Ok(node) => match &nic.in_class_cxi {
            Err(read_error) => CheckResult::unknown(read_error),
            Ok(false) => {
                CheckResult::bad("in class cxi_user but not in class cxi: the driver has not finished its probe")
            }
            Ok(true) => CheckResult::ok("bound, and the device node is the driver's")
                .with_evidence(&node.path, format!("{}:{}", node.major, node.minor)),
        },
    }
}

pub(super) fn pci_enabled(nic: &Nic) -> CheckResult {
    // A VF's own configuration space has no vendor id (PCIe SR-IOV, 9.3.4.1.1).
    if nic.function == Function::Physical && nic.config_vendor == Ok(0xffff) {
        return CheckResult::bad("the PCI function does not answer").with_attribute(nic, "config", "ffff");
    }
    match &nic.enable_count {
        Err(read_error) => CheckResult::unknown(read_error),
        Ok(0) => {
            CheckResult::bad("the PCI function is disabled, as the driver does after a fatal error: see the kernel log")
                .with_attribute(nic, "enable", 0)
        }
        Ok(count) => CheckResult::ok("the PCI function is enabled").with_attribute(nic, "enable", count),
    }
}

pub(super) fn cordoned(nic: &Nic) -> CheckResult {
    match &nic.cordon {
        Err(read_error) => CheckResult::unknown(read_error),
        Ok(None) => CheckResult::ok("not cordoned"),
        Ok(Some(cordon)) => {
            let reason = match cordon.reason.as_str() {
                "" => "cordoned by an admin".to_owned(),
                reason => format!("cordoned by an admin: {reason}"),
            };
            CheckResult::bad(reason).with_evidence(&cordon.file, "there")
        }
    }
}

pub(super) fn link(nic: &Nic) -> CheckResult {
    let outcome = match (&nic.link, nic.function) {
        (_, Function::Virtual) => return CheckResult::unknown("a VF has no link state of its own"),
        (Err(read_error), _) => return CheckResult::unknown(read_error),
        (Ok(true), _) => CheckResult::ok("the fabric link is up"),
        (Ok(false), _) => CheckResult::bad("the fabric link is down"),
    };
    outcome.with_attribute(nic, "properties/link", u8::from(nic.link == Ok(true)))
}

pub(super) fn retry_handler(nic: &Nic, history: &NicHistory) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF has no retry handler");
    }
    let queue = match (&nic.retry_handler_eq, &nic.platform) {
        (Err(read_error), _) | (Ok(0), Err(read_error)) => return CheckResult::unknown(read_error),
        (Ok(0), Ok(platform)) if *platform != PLATFORM_ASIC => {
            return CheckResult::ok("not needed: no hardware").with_attribute(nic, "properties/platform", platform);
        }
        (Ok(queue), _) => *queue,
    };
    let outcome = if queue == 0 {
        let name = nic.cxi.as_ref().map_or_else(|_| "cxiN".to_owned(), ToString::to_string);
        CheckResult::bad(format!(
            "no retry handler is registered: see cxi_rh@{name}.service; after a crash the node needs a reboot"
        ))
    } else if history.retry_handler == RetryHandler::Suspect {
        CheckResult::suspect(
            "the retry handler has died and come back, so the NIC's state is unpredictable: reboot the node",
        )
    } else {
        CheckResult::ok("a retry handler is registered")
    };
    outcome.with_attribute(nic, "properties/pct_eq", queue)
}

pub(super) fn fabric_address(nic: &Nic) -> CheckResult {
    if let Ok(INVALID_NID) = nic.nid {
        return CheckResult::bad("the NIC has no fabric address").with_attribute(nic, "properties/nid", "0xffffffff");
    }
    match &nic.netdev {
        Err(read_error) => CheckResult::unknown(read_error),
        Ok(None) => CheckResult::unknown("no netdev in this network namespace, so its Ethernet address is not known"),
        Ok(Some(netdev)) => match (is_fabric_mac(nic, netdev), &nic.nid) {
            (Err(read_error), _) => CheckResult::unknown(read_error),
            (Ok((true, _)), Err(read_error)) => CheckResult::unknown(read_error),
            (Ok((_, outcome)), _) => outcome,
        },
    }
}

/// libfabric's AMA test (`cxip_if.c`): the address was set from outside and is a locally administered unicast one.
fn is_fabric_mac(nic: &Nic, netdev: &Netdev) -> Reading<(bool, CheckResult)> {
    let (mac, kind) = (netdev.mac.clone()?, netdev.addr_assign_type.clone()?);
    let first_octet = mac.get(..2).and_then(|octet| u8::from_str_radix(octet, 16).ok());
    let is_fabric = first_octet.is_some_and(|octet| octet & 0b11 == 0b10) && kind == NET_ADDR_SET;
    let outcome = if is_fabric {
        CheckResult::ok("the Ethernet address is a fabric address")
    } else {
        CheckResult::bad("the Ethernet address is no fabric address, so libfabric ignores the NIC")
    };
    let of_netdev = |attribute| format!("net/{}/{attribute}", netdev.name);
    let outcome = outcome.with_attribute(nic, &of_netdev("address"), mac).with_attribute(
        nic,
        &of_netdev("addr_assign_type"),
        kind,
    );
    Ok((is_fabric, outcome))
}

/// libfabric's test: operstate up, or unknown with a carrier.
pub(super) fn netdev_up(nic: &Nic) -> CheckResult {
    let netdev = match &nic.netdev {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(None) => return CheckResult::unknown("no netdev in this network namespace"),
        Ok(Some(netdev)) => netdev,
    };
    let state = match &netdev.operstate {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(state) => state,
    };
    let outcome = match (state.as_str(), &netdev.carrier) {
        ("unknown", Err(read_error)) => return CheckResult::unknown(read_error),
        ("up", _) | ("unknown", Ok(true)) => CheckResult::ok(format!("netdev {} is up", netdev.name)),
        _ => CheckResult::bad(format!("netdev {} is not up", netdev.name)),
    };
    outcome.with_attribute(nic, &format!("net/{}/operstate", netdev.name), state)
}
