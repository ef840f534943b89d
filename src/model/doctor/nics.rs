//! Each NIC: bound, with node and netdev, and by the conditions of its health.

use super::driver;
use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use super::network;
use crate::model::health::{AcrossNics, Check, Condition, Verdict};
use crate::model::nic::attributes::Function;
use crate::model::nic::inventory::Nic;
use crate::model::status::NicStatus;

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    let Ok(inventory) = &facts.inventory else { return };
    let across_nics = AcrossNics::of(&inventory.nics);
    for nic in &inventory.nics {
        nic_of(facts, nic, &across_nics, examination);
    }
    virtual_functions(&inventory.nics, examination);
}

/// How a NIC is called in the report.
pub(super) fn name(nic: &Nic) -> String {
    let cxi = nic.cxi.iter().map(ToString::to_string);
    let netdev = nic.netdev.iter().flatten().map(|netdev| netdev.name.clone());
    let names: Vec<String> = cxi.chain(netdev).collect();
    match names.as_slice() {
        [] => nic.address.to_string(),
        names => format!("{} ({})", nic.address, names.join(", ")),
    }
}

/// Without a driver there is nothing more to ask of a NIC.
fn nic_of(facts: &NodeFacts, nic: &Nic, across_nics: &AcrossNics, examination: &mut Examination) {
    match &nic.driver {
        Ok(None) => return unbound(facts, nic, examination),
        Ok(Some(driver)) if driver::is_foreign(nic) => return foreign(nic, driver, examination),
        Ok(Some(_)) | Err(_) => {}
    }
    let is_explained = not_in_class(facts, nic, examination) || no_node(nic, examination);
    let has_no_netdev = no_netdev(facts, nic, examination);
    let withheld = facts.selection.withheld(nic);
    let status = NicStatus::fresh(nic, across_nics, withheld, &facts.policy, facts.unix_seconds);
    for condition in conditions(facts, &status) {
        if condition.check == Check::PcieErrors && !condition.verdict.is_bad() {
            earlier_errors(nic, examination);
        }
        let is_known = match condition.check {
            Check::Present => is_explained,
            Check::FabricAddress | Check::NetdevUp => has_no_netdev && condition.verdict != Verdict::Fail,
            // A driver that does not tell these is no fault of the node.
            Check::CxiService | Check::Resources => condition.verdict == Verdict::Unknown,
            // Only the daemon has an earlier count to compare with.
            Check::PcieErrors => condition.verdict == Verdict::Unknown && nic.pcie_uncorrectable_errors.is_ok(),
            _ => false,
        };
        if !is_known && !condition.is_consequence() {
            examine_condition(nic, &status, condition, examination);
        }
    }
    if nic.numa_node == Ok(None) && facts.selection.withheld(nic).is_none() {
        examination.found(
            (FindingId::NicNumaUnknown, Level::Note),
            name(nic),
            "neither the firmware nor a function beside it names a NUMA node, so kubelet gets no topology for this resource, not even of other NICs",
            vec![Evidence::new(nic.sysfs.join("numa_node"), -1)],
            "look for a firmware update or setting (SRAT, NPS), or say it in the configuration under [numa]; a node with one NUMA node \
             loses nothing",
        );
    }
}

/// Errors that nobody has seen come: a look of ours or the daemon's first one found them.
fn earlier_errors(nic: &Nic, examination: &mut Examination) {
    let counters = [
        ("properties/pcie_uncorr_err", &nic.pcie_uncorrectable_errors),
        ("aer_dev_fatal", &nic.aer_fatal_errors),
        ("aer_dev_nonfatal", &nic.aer_nonfatal_errors),
    ];
    let counted = counters.iter().filter_map(|(attribute, count)| {
        let count = count.as_ref().ok().filter(|count| **count > 0)?;
        Some(Evidence::new(nic.sysfs.join(attribute), count))
    });
    let counted: Vec<Evidence> = counted.collect();
    if !counted.is_empty() {
        examination.found(
            (FindingId::PcieErrorsEarlier, Level::Note),
            name(nic),
            "uncorrectable PCIe errors from before anybody looked, in this boot or since the driver was loaded",
            counted,
            format!("see when they came: dmesg | grep -i -e aer -e {}", nic.address),
        );
    }
}

/// Where the module is not there, that is the finding.
fn unbound(facts: &NodeFacts, nic: &Nic, examination: &mut Examination) {
    if !driver::is_loaded(facts, "cxi_ss1") {
        return;
    }
    examination.found(
        (FindingId::NicUnbound, Level::Problem),
        name(nic),
        "no driver is bound, although it is loaded",
        vec![Evidence::new(nic.sysfs.join("driver"), "missing")],
        format!(
            "dmesg | grep {address} ; echo {address} > /sys/bus/pci/drivers_probe",
            address = nic.address
        ),
    );
}

fn foreign(nic: &Nic, driver: &str, examination: &mut Examination) {
    examination.found(
        (FindingId::NicForeignDriver, Level::Warning),
        name(nic),
        format!("bound to driver {driver}, so it is not offered"),
        vec![Evidence::new(nic.sysfs.join("driver"), driver)],
        format!(
            "if that is not meant for a virtual machine: echo {address} > /sys/bus/pci/drivers/{driver}/unbind ; echo {address} > \
             /sys/bus/pci/drivers/cxi_ss1/bind ; see driver_override in {}",
            nic.sysfs.display(),
            address = nic.address
        ),
    );
}

/// Whether that is what is wrong with the NIC.
fn not_in_class(facts: &NodeFacts, nic: &Nic, examination: &mut Examination) -> bool {
    let Err(read_error) = &nic.cxi else { return false };
    if driver::is_loaded(facts, "cxi_user") {
        examination.found(
            (FindingId::NicNotInClass, Level::Problem),
            name(nic),
            "the driver is bound, but class cxi_user does not list the NIC: its probe failed or has not ended",
            vec![Evidence::new(&read_error.path, &read_error.reason)],
            format!("dmesg | grep {}", nic.address),
        );
    }
    true
}

fn no_node(nic: &Nic, examination: &mut Examination) -> bool {
    let Err(read_error) = &nic.node else { return false };
    examination.found(
        (FindingId::NicNoNode, Level::Problem),
        name(nic),
        "no usable device node, so containers cannot get the NIC",
        vec![Evidence::new(&read_error.path, &read_error.reason)],
        "udevadm trigger --action=add --subsystem-match=cxi_user ; is devtmpfs mounted on /dev?",
    );
    true
}

fn no_netdev(facts: &NodeFacts, nic: &Nic, examination: &mut Examination) -> bool {
    let has_none = nic.netdev == Ok(None);
    if has_none && driver::is_loaded(facts, "cxi_eth") {
        // With Multus, pods take netdevs and give them back: that is what it is for.
        let level = if network::has_multus(facts) {
            Level::Note
        } else {
            Level::Warning
        };
        examination.found(
            (FindingId::NicNoNetdev, level),
            name(nic),
            "no netdev in the host's network namespace: it is in another one, a pod's perhaps; libfabric ignores the NIC \
             wherever it does not see the netdev",
            vec![Evidence::new(nic.sysfs.join("net"), "empty")],
            "lsns -t net ; nsenter --net=NAMESPACE ip link ; dmesg tells if cxi_eth gave the NIC up",
        );
    }
    has_none
}

/// As a fresh look judges them, or worse ones as the daemon knows them, which remembers earlier looks.
fn conditions<'a>(facts: &'a NodeFacts, fresh: &'a NicStatus) -> impl Iterator<Item = &'a Condition> {
    let published = (facts.daemon.known().into_iter())
        .flat_map(|status| &status.node.nics)
        .find(|nic| nic.address == fresh.address);
    fresh.conditions.iter().map(move |fresh| {
        let mut published = published.into_iter().flat_map(|nic| &nic.conditions);
        let worse = published.find(|other| {
            other.condition.check == fresh.condition.check
                && other.condition.verdict.is_bad()
                && other.condition.verdict > fresh.condition.verdict
        });
        &worse.unwrap_or(fresh).condition
    })
}

fn examine_condition(nic: &Nic, status: &NicStatus, condition: &Condition, examination: &mut Examination) {
    let level = match condition.verdict {
        Verdict::Ok => return,
        // What a VF has none of is no gap in what is known.
        Verdict::Unknown if nic.function == Function::Virtual => return,
        Verdict::Unknown => return examination.unknown(name(nic), condition),
        Verdict::Warn => Level::Warning,
        Verdict::Fail => Level::Problem,
    };
    examination.found(
        (FindingId::Condition(condition.check), level),
        name(nic),
        &condition.reason,
        condition.evidence.clone(),
        status.remedy(condition.check),
    );
}

fn virtual_functions(nics: &[Nic], examination: &mut Examination) {
    let vfs = nics.iter().filter(|nic| nic.function == Function::Virtual);
    let vfs: Vec<&Nic> = vfs.filter(|nic| !driver::is_foreign(nic)).collect();
    if vfs.is_empty() {
        return;
    }
    examination.found(
        (FindingId::VfNotOffered, Level::Note),
        "virtual functions",
        "they are not offered to kubelet, and get no CDI name, unless they are asked for",
        vfs.iter()
            .map(|nic| Evidence::new(nic.sysfs.join("physfn"), "a VF"))
            .collect(),
        "for podman and the like: cxi-cdi-generator --functions all",
    );
}
