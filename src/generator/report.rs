//! What was found, for people.

use std::fmt::Display;
use std::io::{self, Write};

use crate::health::memory::Memory;
use crate::health::{self, HealthPolicy, Verdict};
use crate::inventory::{Function, Inventory, Nic, Reading, Unread};
use crate::selection::Selection;
use crate::terminal::table::{self, Cell, plain};

/// Writes the problems, from verbosity 1 on the NICs, and from 2 on every value that could not be read.
pub fn inventory(out: &mut impl Write, inventory: &Inventory, selection: &Selection, verbosity: u8) -> io::Result<()> {
    for problem in &inventory.problems {
        writeln!(out, "warning: {problem}")?;
    }
    for nic in &inventory.nics {
        if let Some(reason) = unusable(nic, selection) {
            writeln!(out, "warning: {} gets no device name: {reason}", nic.address)?;
        }
    }
    if verbosity > 0 {
        out.write_all(nics(inventory, selection).as_bytes())?;
    }
    if verbosity > 1 {
        for nic in &inventory.nics {
            for unread in unread(nic) {
                writeln!(out, "{}: unknown: {unread}", nic.address)?;
            }
        }
    }
    Ok(())
}

/// Why a NIC is not in the spec, unless it is by choice.
fn unusable(nic: &Nic, selection: &Selection) -> Option<String> {
    if selection.is_by_choice(nic) {
        return None;
    }
    let no_node = || nic.node.as_ref().err().map(ToString::to_string);
    selection.withheld(nic).or_else(no_node)
}

fn nics(inventory: &Inventory, selection: &Selection) -> String {
    let rows = inventory.nics.iter().map(|nic| row(nic, selection));
    let headings = ["ADDRESS", "CXI", "NETDEV", "TYPE", "NUMA", "SPEED", "NID", "STATE"];
    table::table(headings, rows.collect())
}

fn row(nic: &Nic, selection: &Selection) -> [Cell; 8] {
    let kind = match nic.function {
        Function::Physical => "PF",
        Function::Virtual => "VF",
    };
    let netdev = nic
        .netdev
        .as_ref()
        .map(|netdev| netdev.as_ref().map_or("none", |netdev| netdev.name.as_str()));
    let numa = nic
        .numa_node
        .as_ref()
        .map(|node| node.map_or_else(|| "none".to_owned(), |node| node.to_string()));
    let speed = nic.speed_mbps.as_ref().map(|speed| format!("{} Gb/s", speed / 1000));
    let nid = nic.nid.as_ref().map(|nid| format!("{nid:#x}"));
    [
        nic.address.to_string(),
        or_unknown(nic.cxi.as_ref()),
        or_unknown(netdev),
        format!("{} {kind}", or_unknown(nic.generation.as_ref())),
        or_unknown(numa),
        or_unknown(speed),
        or_unknown(nid),
        state(nic, selection),
    ]
    .map(plain)
}

fn or_unknown<T: Display, E>(value: Result<T, E>) -> String {
    value.map_or_else(|_| "?".to_owned(), |value| value.to_string())
}

fn state(nic: &Nic, selection: &Selection) -> String {
    if let Some(reason) = selection.withheld(nic) {
        return format!("not offered: {reason}");
    }
    // Nobody remembers anything here, nor asks what time it is.
    let conditions = health::assess(nic, &Memory::default(), 0);
    let worst = conditions
        .into_iter()
        .map(|condition| HealthPolicy::default().apply(condition))
        .filter(|condition| condition.verdict >= Verdict::Warn)
        .max_by_key(|c| c.verdict);
    worst.map_or_else(|| "healthy".to_owned(), |condition| condition.to_string())
}

fn unread(nic: &Nic) -> Vec<&Unread> {
    fn why<T>(reading: &Reading<T>) -> Option<&Unread> {
        reading.as_ref().err()
    }
    let netdev = nic.netdev.as_ref().ok().and_then(Option::as_ref);
    let of_nic = [
        why(&nic.generation),
        why(&nic.driver),
        why(&nic.cxi),
        why(&nic.node),
        why(&nic.netdev),
        why(&nic.numa_node),
        why(&nic.pci_directory),
        why(&nic.enable_count),
        why(&nic.config_vendor),
        why(&nic.link),
        why(&nic.nid),
        why(&nic.retry_handler_eq),
        why(&nic.platform),
        why(&nic.speed_mbps),
        why(&nic.driver_revision),
    ];
    let of_netdev = netdev.map(|netdev| {
        [
            why(&netdev.mac),
            why(&netdev.addr_assign_type),
            why(&netdev.operstate),
            why(&netdev.carrier),
        ]
    });
    of_nic
        .into_iter()
        .chain(of_netdev.into_iter().flatten())
        .flatten()
        .collect()
}
