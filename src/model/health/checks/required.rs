//! Conditions without which a NIC is of no use: what libfabric needs of it, and what the fabric needs.

use crate::model::health::check_result::CheckResult;
use crate::model::health::history::{NicHistory, RetryHandler};
use crate::model::nic::attributes::{Function, INVALID_NID, Netdev};
use crate::model::nic::inventory::Nic;
use crate::model::nic::offer::{DRIVERS, is_our_driver};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// Value of `properties/platform` on hardware; retry handlers run on nothing else.
const PLATFORM_ASIC: u64 = 0;
/// `NET_ADDR_SET`: the address was set from outside, as the fabric manager's agent does.
const NET_ADDR_SET: u64 = 3;

/// Whether no driver of ours is bound, so that nothing else can be said of the NIC.
pub(super) fn unbound(nic: &Nic) -> bool {
    nic.driver
        .as_ref()
        .is_ok_and(|driver| !driver.as_deref().is_some_and(is_our_driver))
}

/// That something cannot be read is no fault of the NIC; that nothing can be, or that reading hangs, is one to look at.
pub(super) fn readable(nic: &Nic) -> CheckResult {
    let attributes = [
        ("properties/link", nic.link.as_ref().err()),
        ("properties/nid", nic.nid.as_ref().err()),
        ("properties/pct_eq", nic.retry_handler_eq.as_ref().err()),
    ];
    let unread: Vec<_> = attributes
        .iter()
        .filter_map(|(name, error)| Some((name, (*error)?)))
        .collect();
    let is_blind = unread.len() == attributes.len();
    if let Err(ReadError { path, reason }) = &nic.answers {
        let rest = if is_blind {
            "nothing is known of it"
        } else {
            "the other values are those of the last look that ended"
        };
        return CheckResult::bad(format!("{reason}; {rest}")).with_evidence(path, "no answer");
    }
    if is_blind {
        let outcome = CheckResult::bad("neither link nor fabric address nor retry handler can be read");
        return unread.into_iter().fold(outcome, |outcome, (name, error)| {
            outcome.with_attribute(nic, name, &error.reason)
        });
    }
    CheckResult::ok("it answers")
}

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

pub(super) fn cordoned(nic: &Nic, history: &NicHistory) -> CheckResult {
    match &nic.cordon {
        Err(read_error) => match &history.cordon {
            None => CheckResult::unknown(read_error),
            Some(reason) => CheckResult::bad(format!("{}, as far as can be told", order(reason)))
                .with_evidence(&read_error.path, &read_error.reason),
        },
        Ok(None) => CheckResult::ok("not cordoned"),
        Ok(Some(cordon)) => CheckResult::bad(order(&cordon.reason)).with_evidence(&cordon.file, "there"),
    }
}

fn order(reason: &str) -> String {
    match reason {
        "" => "cordoned by an admin".to_owned(),
        reason => format!("cordoned by an admin: {reason}"),
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

pub(super) fn fabric_address(nic: &Nic, twins: &[PciAddress]) -> CheckResult {
    if let Ok(INVALID_NID) = nic.nid {
        return CheckResult::bad("the NIC has no fabric address").with_attribute(nic, "properties/nid", "0xffffffff");
    }
    let outcome = match &nic.netdev {
        Err(read_error) => CheckResult::unknown(read_error),
        Ok(None) => CheckResult::unknown("no netdev in this network namespace, so its Ethernet address is not known"),
        Ok(Some(netdev)) => match (is_fabric_mac(nic, netdev), &nic.nid) {
            (Err(read_error), _) => CheckResult::unknown(read_error),
            (Ok((true, _)), Err(read_error)) => CheckResult::unknown(read_error),
            (Ok((_, outcome)), _) => outcome,
        },
    };
    match (twins, &nic.nid) {
        ([], _) | (_, Err(_)) => outcome,
        _ if outcome.is_bad() => outcome,
        (twins, Ok(nid)) => {
            let twins: Vec<String> = twins.iter().map(ToString::to_string).collect();
            CheckResult::suspect(format!(
                "another NIC has the same fabric address ({}): libfabric lists only one of them, without a word",
                twins.join(", ")
            ))
            .with_attribute(nic, "properties/nid", format!("{nid:#x}"))
        }
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
        CheckResult::bad(format!(
            "the Ethernet address is no fabric address, so libfabric ignores the NIC{}",
            first_of_many(nic, netdev)
        ))
    };
    let of_netdev = |attribute| format!("net/{}/{attribute}", netdev.name);
    let outcome = outcome.with_attribute(nic, &of_netdev("address"), mac).with_attribute(
        nic,
        &of_netdev("addr_assign_type"),
        kind,
    );
    Ok((is_fabric, outcome))
}

/// libfabric's test: operstate up, or unknown with a carrier. It drops the NIC otherwise (`cxip_get_if`).
pub(super) fn netdev_up(nic: &Nic) -> CheckResult {
    let netdev = match &nic.netdev {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(None) if nic.netdev_is_elsewhere => {
            let reason = "its netdev is in another network namespace: libfabric takes the NIC only there";
            return CheckResult::suspect(reason).with_attribute(nic, "net", "empty");
        }
        Ok(None) => {
            let reason = "it has no netdev, so libfabric ignores the NIC: is the module cxi_eth loaded?";
            return CheckResult::suspect(reason).with_attribute(nic, "net", "missing");
        }
        Ok(Some(netdev)) => netdev,
    };
    let (is_up, state) = match is_up(netdev) {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(state) => state,
    };
    let outcome = if is_up {
        CheckResult::ok(format!("netdev {} is up{}", netdev.name, first_of_many(nic, netdev)))
    } else {
        CheckResult::bad(format!(
            "netdev {} is not up, so libfabric ignores the NIC{}",
            netdev.name,
            first_of_many(nic, netdev)
        ))
    };
    let outcome = outcome.with_attribute(nic, &format!("net/{}/operstate", netdev.name), state);
    nic.further_netdevs.iter().fold(outcome, |outcome, further| {
        let state = further.operstate.as_deref().unwrap_or("not readable");
        outcome.with_attribute(nic, &format!("net/{}/operstate", further.name), state)
    })
}

fn is_up(netdev: &Netdev) -> Reading<(bool, &str)> {
    let state = netdev.operstate.as_deref().map_err(Clone::clone)?;
    let is_up = match state {
        "up" => true,
        "unknown" => netdev.carrier.clone()?,
        _ => false,
    };
    Ok((is_up, state))
}

/// libfabric takes the first interface of `/sys/class/net` by name that belongs to the NIC (`cxip_if.c`, `netdev_lookup`:
/// `glob`), whatever the others are like.
fn first_of_many(nic: &Nic, netdev: &Netdev) -> String {
    match nic.further_netdevs.len() {
        0 => String::new(),
        further => format!(
            "; of its {} netdevs it looks at {}, the first by name",
            further + 1,
            netdev.name
        ),
    }
}
