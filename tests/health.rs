//! Each condition of a NIC's health against what an emulated node shows: one thing is changed, one verdict follows.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::changes::Change;
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_device_plugin::host::nics::scan::Scanner;
use cxi_device_plugin::model::health::history::NicHistory;
use cxi_device_plugin::model::health::{self, AcrossNics, Action, Check, Condition, HealthPolicy, Verdict};
use cxi_device_plugin::model::libs::library_mode::LibraryMode;
use cxi_device_plugin::model::nic::inventory::{Inventory, Nic};
use cxi_sim::node::Node;

/// The time of day of every look.
const NOW: u64 = 1_800_000_000;

use Change::{
    Cordon, CordonDirectory, CordonLink, CordonsFile, Driver, FirstNetdev, LinkDown, Look, LookBefore, Rebind, Remove,
    Restarts, Set, Unbind, Uncordon, Unset,
};
use Check::{
    Cordoned, CxiService, FabricAddress, Link, LinkFlaps, LinkSpeed, NetdevUp, PciEnabled, PcieErrors, PcieLink,
    Present, Readable, Resources, RetryHandler,
};
use Verdict::{Fail, Ok as Good, Unknown, Warn};

/// The NIC as in `NicSpec`'s text form, what is done to it, and what follows for one condition.
type Row = (&'static str, &'static [Change], Check, Verdict);

const ROWS: &[Row] = &[
    ("c1", &[], Present, Good),
    ("c1", &[Driver("cxi_core")], Present, Good),
    ("c1", &[Driver("vfio-pci")], Present, Fail),
    ("c1", &[Unset("driver")], Present, Fail),
    ("c1", &[Unset("driver"), Set("driver", b"no link")], Present, Unknown),
    ("c1", &[Remove("sys/class/cxi_user/cxi0")], Present, Fail),
    ("c1", &[Remove("sys/class/cxi/cxi0")], Present, Fail),
    ("c1", &[Remove("dev/cxi0")], Present, Fail),
    ("c1,variant=V5", &[], Present, Fail),
    ("c1", &[Set("cxi_user/cxi0/dev", b"1:9\n")], Present, Fail),
    // Nothing to compare the node with.
    ("c1", &[Unset("cxi_user/cxi0/dev")], Present, Good),
    //
    ("c1", &[], Readable, Good),
    (
        "c1",
        &[Unset("properties/link"), Unset("properties/nid")],
        Readable,
        Good,
    ),
    ("c1", &NOTHING_READABLE, Readable, Warn),
    (
        "c1",
        &[Unset("properties/link"), Set("properties/link", b"?")],
        Readable,
        Good,
    ),
    //
    ("c1", &[], PciEnabled, Good),
    ("c1", &[Set("enable", b"2\n")], PciEnabled, Good),
    ("c1", &[Set("enable", b"0\n")], PciEnabled, Fail),
    ("c1,variant=V15", &[], PciEnabled, Fail),
    ("c1", &[Unset("enable")], PciEnabled, Unknown),
    ("c1", &[Set("enable", b"\xff")], PciEnabled, Unknown),
    ("c1", &[Set("config", b"\xff\xff\xff\xff")], PciEnabled, Fail),
    ("c1vf", &[Set("config", b"\xff\xff\xff\xff")], PciEnabled, Good),
    // The count of enables says enough.
    ("c1", &[Unset("config")], PciEnabled, Good),
    ("c1", &[Set("config", b"\xff")], PciEnabled, Good),
    ("c1", &[Unset("config"), Unset("enable")], PciEnabled, Unknown),
    //
    ("c1", &[], Link, Good),
    ("c1", &[LinkDown], Link, Fail),
    ("c1", &[Set("properties/link", b"0\n")], Link, Fail),
    ("c1", &[Unset("properties/link")], Link, Unknown),
    ("c1", &[Set("properties/link", b"\n")], Link, Unknown),
    ("c1vf", &[], Link, Unknown),
    //
    ("c1", &[], RetryHandler, Good),
    ("c1", &[Set("properties/pct_eq", b"0\n")], RetryHandler, Fail),
    ("c1,variant=V14", &[], RetryHandler, Fail),
    // No hardware, no retry handler.
    (
        "c1",
        &[Set("properties/pct_eq", b"0\n"), Set("properties/platform", b"1\n")],
        RetryHandler,
        Good,
    ),
    ("c1", &[Unset("properties/pct_eq")], RetryHandler, Unknown),
    (
        "c1",
        &[Set("properties/pct_eq", b"0\n"), Unset("properties/platform")],
        RetryHandler,
        Unknown,
    ),
    // The retry handler is there, wherever it runs.
    ("c1", &[Unset("properties/platform")], RetryHandler, Good),
    ("c1vf", &[], RetryHandler, Unknown),
    //
    ("c1", &[], FabricAddress, Good),
    ("c1", &[Set("properties/nid", b"0xffffffff\n")], FabricAddress, Fail),
    ("c1,variant=V6", &[], FabricAddress, Fail),
    (
        "c1",
        &[Set("net/hsn0/address", b"00:40:a6:00:00:12\n")],
        FabricAddress,
        Fail,
    ),
    (
        "c1",
        &[Set("net/hsn0/address", b"03:00:00:00:00:12\n")],
        FabricAddress,
        Fail,
    ),
    ("c1", &[Set("net/hsn0/addr_assign_type", b"0\n")], FabricAddress, Fail),
    ("c1,variant=V10", &[], FabricAddress, Unknown),
    // Without a netdev as well.
    ("c1,variant=V10+V6", &[], FabricAddress, Fail),
    ("c1", &[Unset("properties/nid")], FabricAddress, Unknown),
    ("c1", &[Unset("net/hsn0/address")], FabricAddress, Unknown),
    ("c1", &[Unset("net/hsn0/addr_assign_type")], FabricAddress, Unknown),
    //
    ("c1", &[], NetdevUp, Good),
    ("c1", &[Set("net/hsn0/operstate", b"down\n")], NetdevUp, Fail),
    ("c1", &[Set("net/hsn0/operstate", b"dormant\n")], NetdevUp, Fail),
    ("c1", &[Set("net/hsn0/operstate", b"unknown\n")], NetdevUp, Good),
    (
        "c1",
        &[Set("net/hsn0/operstate", b"unknown\n"), Set("net/hsn0/carrier", b"0\n")],
        NetdevUp,
        Fail,
    ),
    (
        "c1",
        &[Set("net/hsn0/operstate", b"unknown\n"), Unset("net/hsn0/carrier")],
        NetdevUp,
        Unknown,
    ),
    ("c1", &[Unset("net/hsn0/carrier")], NetdevUp, Good),
    ("c1", &[Unset("net/hsn0/operstate")], NetdevUp, Unknown),
    ("c1,variant=V10", &[], NetdevUp, Warn),
    // libfabric looks at the first by name, whatever the other is like.
    ("c1", &[FirstNetdev("up\n")], NetdevUp, Good),
    ("c1", &[FirstNetdev("down\n")], NetdevUp, Fail),
    (
        "c1",
        &[FirstNetdev("up\n"), Set("net/hsn0/operstate", b"down\n")],
        NetdevUp,
        Good,
    ),
    //
    ("c1", &[], Cordoned, Good),
    ("c1", &[Cordon("")], Cordoned, Fail),
    ("c1", &[Cordon("cable \x1b[31m\nsecond line")], Cordoned, Fail),
    ("c1", &[Cordon("\u{feff}")], Cordoned, Fail),
    ("c1", &[CordonDirectory], Cordoned, Fail),
    ("c1", &[CordonLink], Cordoned, Fail),
    ("c1", &[CordonsFile], Cordoned, Unknown),
    // It counts as it was read last.
    ("c1", &[Cordon("x"), Look, CordonsFile], Cordoned, Fail),
    (
        "c1",
        &[Cordon("x"), Look, Uncordon, Look, CordonsFile],
        Cordoned,
        Unknown,
    ),
    //
    ("c1", &[], CxiService, Unknown),
    //
    ("c1", &[], Resources, Good),
    ("c1", &[Set("properties/rgids_avail", b"0\n")], Resources, Warn),
    ("c1", &[Unset("properties/rgids_avail")], Resources, Unknown),
    ("c1vf", &[Set("properties/rgids_avail", b"0\n")], Resources, Unknown),
    //
    ("c1", &[], PcieErrors, Good),
    // What was there before the first look is nobody's news.
    ("c1", &[UNCORRECTABLE_3], PcieErrors, Good),
    ("c1", &[Look, UNCORRECTABLE_3], PcieErrors, Warn),
    (
        "c1",
        &[UNCORRECTABLE_3, Look, Set("properties/pcie_uncorr_err", b"4\n")],
        PcieErrors,
        Warn,
    ),
    ("c1", &[UNCORRECTABLE_3, Look, Look], PcieErrors, Good),
    // The counter has begun anew, without errors and with one.
    (
        "c1",
        &[UNCORRECTABLE_3, Look, Set("properties/pcie_uncorr_err", b"0\n")],
        PcieErrors,
        Good,
    ),
    (
        "c1",
        &[UNCORRECTABLE_3, Look, Set("properties/pcie_uncorr_err", b"1\n")],
        PcieErrors,
        Warn,
    ),
    (
        "c1",
        &[Look, Set("aer_dev_fatal", b"DLP 1\nTOTAL_ERR_FATAL 1\n")],
        PcieErrors,
        Warn,
    ),
    // Without AER, the driver's count says enough, and the other way round.
    ("c1", &[Unset("aer_dev_fatal")], PcieErrors, Good),
    ("c1", &[Set("aer_dev_fatal", b"TOTAL_ERR_FATAL\n")], PcieErrors, Good),
    ("c1", &[Unset("properties/pcie_uncorr_err")], PcieErrors, Good),
    (
        "c1",
        &[Unset("aer_dev_fatal"), Unset("properties/pcie_uncorr_err")],
        PcieErrors,
        Unknown,
    ),
    //
    ("c1", &[], LinkFlaps, Good),
    ("c1", &[Restarts(&[10, 20, 30, 40])], LinkFlaps, Good),
    ("c1", &[Restarts(&[10, 20, 30, 40, 3_600])], LinkFlaps, Warn),
    ("c1", &[Restarts(&[10, 20, 30, 40, 3_601])], LinkFlaps, Good),
    (
        "c1",
        &[Restarts(&[10, 20, 30, 40, 4_000, 5_000, 6_000, 7_000, 8_000, 36_000])],
        LinkFlaps,
        Warn,
    ),
    (
        "c1",
        &[Restarts(&[10, 20, 30, 40, 4_000, 5_000, 6_000, 7_000, 8_000, 36_001])],
        LinkFlaps,
        Good,
    ),
    // Of a clock that was set back since, nothing can be said.
    (
        "c1",
        &[Set("link_restarts/time_0", b"9999999999999\n")],
        LinkFlaps,
        Good,
    ),
    // They do not count either when it comes to them.
    ("c1", &[Restarts(&[10, 20, 30, 40, 50])], LinkFlaps, Warn),
    (
        "c1",
        &[Restarts(&[10, 20, 30, 40, 50]), LookBefore(100)],
        LinkFlaps,
        Good,
    ),
    (
        "c1",
        &[Restarts(&[10, 20, 30, 40, 50]), LookBefore(25)],
        LinkFlaps,
        Good,
    ),
    // Others of the same ring do.
    (
        "c1",
        &[
            Restarts(&[10, 20]),
            LookBefore(100),
            Restarts(&[10, 20, 30, 40, 50, 60, 70]),
        ],
        LinkFlaps,
        Warn,
    ),
    ("c1", &[Unset("link_restarts/time_0")], LinkFlaps, Unknown),
    ("c1", &[Set("link_restarts/time_0", b"-1\n")], LinkFlaps, Unknown),
    ("c1vf", &[], LinkFlaps, Unknown),
    //
    ("c1", &[], PcieLink, Good),
    ("c1", &[Set("current_link_speed", b"8.0 GT/s PCIe\n")], PcieLink, Warn),
    ("c1", &[Set("current_link_width", b"8\n")], PcieLink, Warn),
    ("c1", &[Set("current_link_speed", b"Unknown\n")], PcieLink, Unknown),
    ("c1", &[Set("current_link_width", b"0\n")], PcieLink, Unknown),
    ("c1", &[Unset("max_link_speed")], PcieLink, Unknown),
    ("c1vf", &[Set("current_link_width", b"8\n")], PcieLink, Unknown),
    ("c1", &[Set("current_link_speed", b"8 GT/s\n")], PcieLink, Warn),
    ("c1", &[Set("max_link_speed", b"16 GT/s\n")], PcieLink, Good),
    ("c1", &[Set("current_link_width", b"x16\n")], PcieLink, Good),
    //
    ("c1", &[], LinkSpeed, Good),
    ("c2", &[], LinkSpeed, Good),
    ("c1", &[Set("port/speed", b"CD_50G")], LinkSpeed, Warn),
    ("c2", &[Set("net/hsn0/speed", b"200000\n")], LinkSpeed, Warn),
    ("c1vf", &[], LinkSpeed, Unknown),
    //
    // It comes some time after the driver, and goes with it.
    ("c1", &[NO_HANDLER, Look, HANDLER], RetryHandler, Good),
    ("c1", &[Look, Rebind, NO_HANDLER, Look, HANDLER], RetryHandler, Good),
    ("c1", &[Look, NO_HANDLER, Look, Rebind], RetryHandler, Good),
    // It died, and came back: that is for good, whatever is bound.
    ("c1", &[Look, NO_HANDLER, Look, HANDLER], RetryHandler, Warn),
    (
        "c1",
        &[Look, NO_HANDLER, Look, HANDLER, Look, Rebind],
        RetryHandler,
        Warn,
    ),
    (
        "c1",
        &[Look, NO_HANDLER, Look, HANDLER, Look, NO_HANDLER],
        RetryHandler,
        Fail,
    ),
    // Nobody has seen that.
    ("c1", &[Look, NO_HANDLER, HANDLER], RetryHandler, Good),
];

const NOTHING_READABLE: [Change; 3] = [
    Unset("properties/link"),
    Unset("properties/nid"),
    Unset("properties/pct_eq"),
];
const BOTH_DOWN: [Change; 3] = [
    LinkDown,
    Set("net/hsn0/operstate", b"down\n"),
    Unset("net/hsn0/carrier"),
];
const UNCORRECTABLE_3: Change = Set("properties/pcie_uncorr_err", b"3\n");
const NO_HANDLER: Change = Set("properties/pct_eq", b"0\n");
const HANDLER: Change = Set("properties/pct_eq", b"7\n");

fn run_dir(node: &Node) -> PathBuf {
    node.root().join("run/cxi-device-plugin")
}

fn scan(node: &Node) -> Inventory {
    let roots = Roots::new(&RootArgs {
        prefix: Some(node.root().to_owned()),
        ..RootArgs::default()
    });
    let scanner = Scanner::new(roots.unwrap(), LibraryMode::None).for_daemon(&run_dir(node), || {});
    scanner.scan().unwrap()
}

fn only(inventory: Inventory) -> Nic {
    let [nic] = inventory.nics.try_into().unwrap();
    nic
}

/// The conditions of a row's NIC after its changes, by this policy.
fn conditions((spec, changes, ..): &Row, policy: &HealthPolicy) -> Vec<Condition> {
    let (_folder, node) = common::node(&[spec.parse().unwrap()]);
    let pci = node.nics().unwrap().remove(0).pci;
    let mut memory = NicHistory::default();
    for change in *changes {
        change.make(&node, &run_dir(&node), &pci, NOW);
        match change {
            Look => memory.note(&only(scan(&node)), NOW),
            LookBefore(seconds) => memory.note(&only(scan(&node)), NOW - seconds),
            _ => {}
        }
    }
    let nic = only(scan(&node));
    memory.note(&nic, NOW);
    health::judge(&nic, &AcrossNics::default(), &memory, NOW, policy)
}

fn condition(conditions: &[Condition], check: Check) -> &Condition {
    let mut found = conditions.iter().filter(|condition| condition.check == check);
    let (one, other) = (found.next().unwrap(), found.next());
    assert!(other.is_none(), "{check} twice");
    one
}

#[test]
fn each_change_of_a_node_has_its_verdict_and_only_failures_make_a_nic_unhealthy() {
    for row in ROWS {
        let (spec, changes, check, verdict) = row;
        let conditions = conditions(row, &HealthPolicy::default());
        let found = condition(&conditions, *check);
        assert_eq!(found.verdict, *verdict, "{spec} {changes:?}: {found}");
        assert!(!found.reason.is_empty(), "{spec} {changes:?}: {check}");
        assert_eq!(
            health::is_healthy(&conditions),
            *verdict != Fail,
            "{spec} {changes:?}: {conditions:?}"
        );
    }
}

#[test]
fn what_a_policy_ignores_is_good_and_still_says_what_is_wrong() {
    for row in ROWS.iter().filter(|row| row.3.is_bad()) {
        let (spec, changes, check, _) = row;
        let mut policy = HealthPolicy::default();
        policy.set(check.name(), Action::Ignore).unwrap();
        let conditions = conditions(row, &policy);
        let found = condition(&conditions, *check);
        assert_eq!(found.verdict, Good, "{spec} {changes:?}");
        assert!(found.reason.ends_with("; ignored by the configuration"), "{found}");
        assert!(health::is_healthy(&conditions), "{spec} {changes:?}: {conditions:?}");
    }
}

/// An unhealthy NIC is for an admin to mend, so the log must lead there.
#[test]
fn each_failure_names_what_was_read() {
    for (changes, check, named) in [
        (&[Set("enable", b"0\n")][..], PciEnabled, "enable = 0"),
        (&[Set("config", b"\xff\xff")], PciEnabled, "config = ffff"),
        (&[LinkDown], Link, "properties/link = 0"),
        (
            &[Set("properties/pct_eq", b"0\n")],
            RetryHandler,
            "properties/pct_eq = 0",
        ),
        (
            &[Set("properties/nid", b"0xffffffff\n")],
            FabricAddress,
            "properties/nid = 0xffffffff",
        ),
        (
            &[Set("net/hsn0/addr_assign_type", b"0\n")],
            FabricAddress,
            "net/hsn0/addr_assign_type = 0",
        ),
        (&[Unset("driver")], Present, "0000:21:00.0/driver = missing"),
        (&[Cordon("bad cable\n")], Cordoned, "cordoned by an admin: bad cable (/"),
        (
            &[Set("properties/rgids_avail", b"0\n")],
            Resources,
            "properties/rgids_avail = 0",
        ),
        (&[Look, UNCORRECTABLE_3], PcieErrors, "pcie_uncorr_err = 3, at first 0"),
        (
            &[Restarts(&[1, 2, 3, 4, 5])],
            LinkFlaps,
            "restarted 5 times in 1 h (/sys/bus/pci/devices/0000:21:00.0/link_restarts = last at 1799999999 s",
        ),
        (&[Set("current_link_width", b"8\n")], PcieLink, "current_link_width = 8"),
        (&[Set("port/speed", b"CD_100G")], LinkSpeed, "port/speed = 100000 Mb/s"),
        (&[Driver("vfio-pci")], Present, "vfio-pci"),
        (&[Remove("dev/cxi0")], Present, "/dev/cxi0"),
    ] {
        let conditions = conditions(&("c1", changes, check, Fail), &HealthPolicy::default());
        let found = condition(&conditions, check);
        assert!(found.to_string().contains(named), "{changes:?}: {found}");
        assert!(!found.evidence.is_empty(), "{changes:?}: {found:?}");
    }
}

/// One fault is one failure; what comes of it says of what, and is no order to anybody.
#[test]
fn what_follows_from_another_condition_is_silent() {
    for (changes, failing, following) in [
        (&[LinkDown][..], Link, &[(NetdevUp, Link)][..]),
        (
            &[Set("enable", b"0\n"), LinkDown, NO_HANDLER],
            PciEnabled,
            &[(Link, PciEnabled), (RetryHandler, PciEnabled), (NetdevUp, PciEnabled)],
        ),
        (
            &[Remove("sys/class/cxi_user/cxi0"), NO_HANDLER],
            Present,
            &[(RetryHandler, Present)],
        ),
        (
            &[Unbind, Set("enable", b"0\n")],
            Present,
            &[
                (Readable, Present),
                (PciEnabled, Present),
                (Link, Present),
                (RetryHandler, Present),
                (FabricAddress, Present),
                (NetdevUp, Present),
                (Resources, Present),
                (LinkFlaps, Present),
            ],
        ),
    ] {
        let conditions = conditions(&("c1", changes, failing, Fail), &HealthPolicy::default());
        let bad: Vec<Check> = conditions
            .iter()
            .filter(|condition| condition.verdict.is_bad())
            .map(|c| c.check)
            .collect();
        assert_eq!(bad, [failing], "{changes:?}: {conditions:?}");
        for (check, cause) in following {
            let found = condition(&conditions, *check);
            assert!(
                found.is_consequence() && found.reason.starts_with(&format!("follows from {cause}: ")),
                "{changes:?}: {found}"
            );
        }
    }
    // A netdev that is administratively down does not follow from the link.
    let conditions_of_both = conditions(&("c1", &BOTH_DOWN, NetdevUp, Fail), &HealthPolicy::default());
    for check in [Link, NetdevUp] {
        assert_eq!(condition(&conditions_of_both, check).verdict, Fail);
    }
    // Whoever does not mind the cause does not mind what comes of it.
    for action in [Action::Ignore, Action::Warn] {
        let mut policy = HealthPolicy::default();
        policy.set("link", action).unwrap();
        let conditions = conditions(&("c1", &[LinkDown], NetdevUp, Unknown), &policy);
        assert_eq!(condition(&conditions, NetdevUp).verdict, Unknown, "{action}");
        assert!(health::is_healthy(&conditions), "{action}");
    }
}

#[test]
fn nics_with_one_fabric_address_are_named_to_each_other() {
    let (_folder, node) = common::node(&["c1".parse().unwrap(), "c1".parse().unwrap(), "c1".parse().unwrap()]);
    let verdicts = || {
        let inventory = scan(&node);
        let shared = AcrossNics::of(&inventory.nics);
        let of = |nic: &Nic| {
            let conditions = health::judge(nic, &shared, &NicHistory::default(), NOW, &HealthPolicy::default());
            condition(&conditions, FabricAddress).clone()
        };
        inventory.nics.iter().map(of).collect::<Vec<_>>()
    };
    assert!(
        verdicts().iter().all(|condition| condition.verdict == Good),
        "{:?}",
        verdicts()
    );
    for pci in ["0000:21:00.0", "0000:a1:00.0"] {
        node.set(pci, "properties/nid", b"0x77\n").unwrap();
    }
    let [first, second, third] = &verdicts()[..] else {
        panic!()
    };
    assert_eq!((first.verdict, second.verdict, third.verdict), (Warn, Good, Warn));
    assert!(
        first
            .to_string()
            .contains("(0000:a1:00.0): libfabric lists only one of them"),
        "{first}"
    );
    assert!(
        third.to_string().contains("(0000:21:00.0)") && third.to_string().contains("nid = 0x77"),
        "{third}"
    );
    // What is not set is the same for all, and a fault of each.
    for pci in ["0000:21:00.0", "0000:a1:00.0"] {
        node.set(pci, "properties/nid", b"0xffffffff\n").unwrap();
    }
    assert_eq!(verdicts()[0].verdict, Fail);
    assert!(verdicts()[0].reason.contains("no fabric address"));
}

#[test]
fn with_two_netdevs_it_is_said_which_one_libfabric_looks_at() {
    for (changes, says) in [
        (
            &[FirstNetdev("up\n")][..],
            "netdev aaa0 is up; of its 2 netdevs it looks at aaa0, the first by name",
        ),
        (
            &[FirstNetdev("down\n")],
            "netdev aaa0 is not up, so libfabric ignores the NIC; of its 2 netdevs it looks at aaa0",
        ),
    ] {
        let conditions = conditions(&("c1", changes, NetdevUp, Fail), &HealthPolicy::default());
        let found = condition(&conditions, NetdevUp).to_string();
        assert!(
            found.contains(says) && found.contains("net/hsn0/operstate = up"),
            "{found}"
        );
    }
}

/// The rows have at least one good, one unreadable and one bad case of each condition.
#[test]
fn the_rows_cover_every_condition() {
    for check in Check::OF_NIC.into_iter().filter(|check| *check != CxiService) {
        let verdicts: BTreeSet<Verdict> = ROWS.iter().filter(|row| row.2 == check).map(|row| row.3).collect();
        let bad = match HealthPolicy::default().action(check) {
            Action::Fail => Fail,
            Action::Warn => Warn,
            Action::Ignore => Good,
        };
        // It is known but for a NIC without a driver.
        let unknown = if check == Readable { Good } else { Unknown };
        assert!(verdicts.is_superset(&BTreeSet::from([Good, unknown, bad])), "{check}");
    }
    let assessed = conditions(&("c1", &[], Present, Good), &HealthPolicy::default());
    let assessed: Vec<Check> = assessed.iter().map(|condition| condition.check).collect();
    assert_eq!(assessed, Check::OF_NIC);
}
