//! Each condition of a NIC's health against what an emulated node shows: one thing is changed, one verdict follows.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use cxi_device_plugin::health::{self, Check, Condition, Verdict};
use cxi_device_plugin::host::libraries::Libraries;
use cxi_device_plugin::host::roots::{RootArgs, Roots};
use cxi_device_plugin::host::scan::Scanner;
use cxi_device_plugin::inventory::{Inventory, Nic};
use cxi_sim::node::Node;

/// What is done to the only NIC of a node.
#[derive(Debug)]
enum Change {
    /// An attribute gets another value.
    Set(&'static str, &'static [u8]),
    /// An attribute, or a link, is gone.
    Unset(&'static str),
    /// The link `driver` names another one.
    Driver(&'static str),
    /// A file of the node outside the NIC's directory is gone.
    Remove(&'static str),
    /// The fabric link goes down.
    LinkDown,
}

use Change::{Driver, LinkDown, Remove, Set, Unset};
use Check::{FabricAddress, Link, NetdevUp, PciEnabled, Present, RetryHandler};
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
    ("c1", &[Set("net/hsn0/operstate", b"down\n")], NetdevUp, Warn),
    ("c1", &[Set("net/hsn0/operstate", b"unknown\n")], NetdevUp, Good),
    (
        "c1",
        &[Set("net/hsn0/operstate", b"unknown\n"), Set("net/hsn0/carrier", b"0\n")],
        NetdevUp,
        Warn,
    ),
    (
        "c1",
        &[Set("net/hsn0/operstate", b"unknown\n"), Unset("net/hsn0/carrier")],
        NetdevUp,
        Unknown,
    ),
    ("c1", &[Unset("net/hsn0/carrier")], NetdevUp, Good),
    ("c1", &[Unset("net/hsn0/operstate")], NetdevUp, Unknown),
    ("c1,variant=V10", &[], NetdevUp, Unknown),
];

fn scan(node: &Node) -> Inventory {
    let roots = Roots::new(&RootArgs {
        prefix: Some(node.root().to_owned()),
        ..RootArgs::default()
    });
    Scanner::new(roots.unwrap(), Libraries::None).scan().unwrap()
}

fn make(change: &Change, node: &Node, pci: &str) {
    let sys = node.root().join("sys");
    match change {
        Set(attribute, value) => node.set(pci, attribute, value).unwrap(),
        Unset(attribute) => node.unset(pci, attribute).unwrap(),
        Driver(name) => {
            node.unset(pci, "driver").unwrap();
            let link = sys.join("bus/pci/devices").join(pci).join("driver");
            symlink(format!("../../../../bus/pci/drivers/{name}"), link).unwrap();
        }
        Remove(path) => fs::remove_file(node.root().join(path)).unwrap(),
        LinkDown => node.link(pci, false).unwrap(),
    }
}

/// The NIC of a row after its changes.
fn changed((spec, changes, ..): &Row) -> Nic {
    let (_folder, node) = common::node(&[spec.parse().unwrap()]);
    let pci = node.nics().unwrap().remove(0).pci;
    for change in *changes {
        make(change, &node, &pci);
    }
    let mut nics = scan(&node).nics;
    assert_eq!(nics.len(), 1, "{spec} {changes:?}");
    nics.remove(0)
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
        let conditions = health::assess(&changed(row));
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
            "addr_assign_type 0 of netdev hsn0",
        ),
        (&[Unset("driver")], Present, "0000:21:00.0/driver"),
        (&[Driver("vfio-pci")], Present, "vfio-pci"),
        (&[Remove("dev/cxi0")], Present, "/dev/cxi0"),
    ] {
        let (_folder, node) = common::node(&["c1".parse().unwrap()]);
        for change in changes {
            make(change, &node, "0000:21:00.0");
        }
        let conditions = health::assess(&scan(&node).nics[0]);
        let found = condition(&conditions, check);
        assert!(found.reason.contains(named), "{changes:?}: {found}");
    }
}

/// The rows have at least one good, one unreadable and one bad case of each condition.
#[test]
fn the_rows_cover_every_condition() {
    let all = [Present, PciEnabled, Link, RetryHandler, FabricAddress, NetdevUp];
    for check in all {
        let verdicts: BTreeSet<Verdict> = ROWS.iter().filter(|row| row.2 == check).map(|row| row.3).collect();
        let bad = if check == NetdevUp { Warn } else { Fail };
        assert_eq!(verdicts, BTreeSet::from([Good, Unknown, bad]), "{check}");
    }
    let assessed: Vec<Check> = health::assess(&changed(&("c1", &[], Present, Good)))
        .iter()
        .map(|condition| condition.check)
        .collect();
    assert_eq!(assessed, all);
}
