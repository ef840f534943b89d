//! Would libfabric accept this NIC, and would the fabric route to it? Pure: the same readings give the same verdict.
//!
//! A NIC is healthy when no condition fails; what is unknown never makes it unhealthy.

use std::fmt;

use crate::inventory::{Function, Netdev, Nic, Reading};

/// `CXI_INVALID_NID`, the value of `properties/nid` before the fabric address is set.
const INVALID_NID: u64 = 0xffff_ffff;
/// Value of `properties/platform` on hardware; retry handlers run on nothing else.
const PLATFORM_ASIC: u64 = 0;
/// `NET_ADDR_SET`: the address was set from outside, as the fabric manager's agent does.
const NET_ADDR_SET: u64 = 3;
/// PCI driver of the NIC, and its name in older releases.
const DRIVERS: [&str; 2] = ["cxi_ss1", "cxi_core"];

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not readable, or not applicable.
    Unknown,
    /// Worth an admin's look; the NIC stays healthy.
    Warn,
    /// The NIC must not get new pods.
    Fail,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The PCI function is bound, its classes are there and the device node belongs to it.
    Present,
    /// The PCI function is enabled and answers.
    PciEnabled,
    /// The fabric link runs.
    Link,
    /// A retry handler serves the NIC.
    RetryHandler,
    /// The NIC has its fabric address.
    FabricAddress,
    /// The netdev is up, by libfabric's test.
    NetdevUp,
    /// The CDI file on disk names the NIC as it is.
    CdiFile,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present => "present",
            Self::PciEnabled => "pci-enabled",
            Self::Link => "link",
            Self::RetryHandler => "retry-handler",
            Self::FabricAddress => "fabric-address",
            Self::NetdevUp => "netdev-up",
            Self::CdiFile => "cdi-file",
        })
    }
}

/// One check's outcome with its reason and evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What was checked.
    pub check: Check,
    /// How it came out.
    pub verdict: Verdict,
    /// Why, for an admin: what is wrong, and where it was read.
    pub reason: String,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.reason)
    }
}

/// Whether none of the conditions fails.
pub fn is_healthy(conditions: &[Condition]) -> bool {
    conditions.iter().all(|condition| condition.verdict != Verdict::Fail)
}

/// Every condition that follows from the readings of a NIC, in a fixed order.
pub fn assess(nic: &Nic) -> Vec<Condition> {
    let checks = [
        (Check::Present, present(nic)),
        (Check::PciEnabled, pci_enabled(nic)),
        (Check::Link, link(nic)),
        (Check::RetryHandler, retry_handler(nic)),
        (Check::FabricAddress, fabric_address(nic)),
        (Check::NetdevUp, netdev_up(nic)),
    ];
    checks
        .into_iter()
        .map(|(check, (verdict, reason))| Condition { check, verdict, reason })
        .collect()
}

/// Whether a PCI driver of this name makes NICs usable for libfabric.
pub fn is_our_driver(driver: &str) -> bool {
    DRIVERS.contains(&driver)
}

type Outcome = (Verdict, String);

fn ok(reason: impl Into<String>) -> Outcome {
    (Verdict::Ok, reason.into())
}

fn unknown(reason: impl fmt::Display) -> Outcome {
    (Verdict::Unknown, reason.to_string())
}

fn fail(reason: impl Into<String>) -> Outcome {
    (Verdict::Fail, reason.into())
}

/// Text of an attribute of the NIC and the value read there.
fn evidence(nic: &Nic, attribute: &str, value: impl fmt::Display) -> String {
    format!("({} = {value})", nic.sysfs.join(attribute).display())
}

fn present(nic: &Nic) -> Outcome {
    match &nic.driver {
        Err(unread) => return unknown(unread),
        Ok(None) => {
            return fail(format!(
                "no driver is bound ({} is missing)",
                nic.sysfs.join("driver").display()
            ));
        }
        Ok(Some(driver)) if !is_our_driver(driver) => {
            return fail(format!("bound to driver {driver}, not to {}", DRIVERS.join(" or ")));
        }
        Ok(Some(_)) => {}
    }
    if let Err(unread) = &nic.cxi {
        return fail(format!(
            "not in class cxi_user: is the module cxi_user loaded? ({unread})"
        ));
    }
    match &nic.node {
        Err(unread) => fail(format!("no usable device node ({unread})")),
        Ok(node) => match &nic.in_class_cxi {
            Err(unread) => unknown(unread),
            Ok(false) => fail("in class cxi_user but not in class cxi: the driver has not finished its probe"),
            Ok(true) => ok(format!("{} is {}:{}", node.path.display(), node.major, node.minor)),
        },
    }
}

fn pci_enabled(nic: &Nic) -> Outcome {
    // A VF's own configuration space has no vendor id (PCIe SR-IOV, 9.3.4.1.1).
    if nic.function == Function::Physical && nic.config_vendor == Ok(0xffff) {
        return fail(format!(
            "the PCI function does not answer {}",
            evidence(nic, "config", "ffff")
        ));
    }
    match &nic.enable_count {
        Err(unread) => unknown(unread),
        Ok(0) => fail(format!(
            "the PCI function is disabled, as the driver does after a fatal error: see the kernel log {}",
            evidence(nic, "enable", 0)
        )),
        Ok(count) => ok(evidence(nic, "enable", count)),
    }
}

fn link(nic: &Nic) -> Outcome {
    match (&nic.link, nic.function) {
        (_, Function::Virtual) => unknown("a VF has no link state of its own"),
        (Err(unread), _) => unknown(unread),
        (Ok(true), _) => ok(evidence(nic, "properties/link", 1)),
        (Ok(false), _) => fail(format!(
            "the fabric link is down {}",
            evidence(nic, "properties/link", 0)
        )),
    }
}

fn retry_handler(nic: &Nic) -> Outcome {
    if nic.function == Function::Virtual {
        return unknown("a VF has no retry handler");
    }
    match (&nic.retry_handler_eq, &nic.platform) {
        (Err(unread), _) | (Ok(0), Err(unread)) => unknown(unread),
        (Ok(0), Ok(PLATFORM_ASIC)) => fail(format!(
            "no retry handler is registered: see cxi_rh@{}.service; after a crash the node needs a reboot {}",
            nic.cxi.as_ref().map_or_else(|_| "cxiN".to_owned(), ToString::to_string),
            evidence(nic, "properties/pct_eq", 0)
        )),
        (Ok(0), Ok(platform)) => ok(format!("not needed {}", evidence(nic, "properties/platform", platform))),
        (Ok(queue), _) => ok(evidence(nic, "properties/pct_eq", queue)),
    }
}

fn fabric_address(nic: &Nic) -> Outcome {
    if let Ok(INVALID_NID) = nic.nid {
        return fail(format!(
            "the NIC has no fabric address {}",
            evidence(nic, "properties/nid", "0xffffffff")
        ));
    }
    match &nic.netdev {
        Err(unread) => unknown(unread),
        Ok(None) => unknown("no netdev in this network namespace, so its Ethernet address is not known"),
        Ok(Some(netdev)) => match is_fabric_mac(netdev) {
            Err(reason) => unknown(reason),
            Ok(Err(reason)) => fail(reason),
            Ok(Ok(reason)) => nic.nid.as_ref().map_or_else(unknown, |_| ok(reason)),
        },
    }
}

/// libfabric's AMA test (`cxip_if.c`): the address was set from outside and is a locally administered unicast one.
fn is_fabric_mac(netdev: &Netdev) -> Reading<Result<String, String>> {
    let (mac, kind) = (netdev.mac.clone()?, netdev.addr_assign_type.clone()?);
    let first_octet = mac.get(..2).and_then(|octet| u8::from_str_radix(octet, 16).ok());
    let found = format!("(address {mac}, addr_assign_type {kind} of netdev {})", netdev.name);
    Ok(match first_octet {
        Some(octet) if octet & 0b11 == 0b10 && kind == NET_ADDR_SET => Ok(found),
        _ => Err(format!(
            "the Ethernet address is no fabric address, so libfabric ignores the NIC {found}"
        )),
    })
}

/// libfabric's test: operstate up, or unknown with a carrier.
fn netdev_up(nic: &Nic) -> Outcome {
    let netdev = match &nic.netdev {
        Err(unread) => return unknown(unread),
        Ok(None) => return unknown("no netdev in this network namespace"),
        Ok(Some(netdev)) => netdev,
    };
    match (&netdev.operstate, &netdev.carrier) {
        (Err(unread), _) => unknown(unread),
        (Ok(state), carrier) if state == "up" || (state == "unknown" && *carrier == Ok(true)) => {
            ok(format!("(operstate {state} of netdev {})", netdev.name))
        }
        (Ok(state), Err(unread)) if state == "unknown" => unknown(unread),
        (Ok(state), _) => (
            Verdict::Warn,
            format!("netdev {} is not up (operstate {state})", netdev.name),
        ),
    }
}
