//! The NICs of a node as a table for people.

use super::output::{BAD, GOOD, WARNING, visible};
use super::table::{Cell, plain, table};
use crate::model::status::{AbsentCordon, NicStatus};

/// A line for each.
pub fn nics<'a>(nics: impl IntoIterator<Item = &'a NicStatus>) -> String {
    let row = |nic| {
        let [address, cxi, netdev, kind, numa, speed, nid] = row(nic);
        [address, cxi, netdev, kind, numa, speed, nid, state(nic)]
    };
    let headings = ["ADDRESS", "CXI", "NETDEV", "TYPE", "NUMA", "SPEED", "NID", "STATE"];
    table(headings, nics.into_iter().map(row).collect())
}

/// The same with who holds each; without that column where it is not known.
pub fn nics_with_pods(statuses: &[NicStatus], pods: impl Fn(&str) -> Option<Cell>) -> String {
    let row = |nic: &NicStatus| {
        let [address, cxi, netdev, kind, numa, speed, nid] = row(nic);
        Some([
            address,
            cxi,
            netdev,
            kind,
            numa,
            speed,
            nid,
            pods(&nic.address)?,
            state(nic),
        ])
    };
    let headings = [
        "ADDRESS", "CXI", "NETDEV", "TYPE", "NUMA", "SPEED", "NID", "POD", "STATE",
    ];
    let rows: Option<Vec<_>> = statuses.iter().map(row).collect();
    rows.map_or_else(|| nics(statuses), |rows| table(headings, rows))
}

/// A line for each NIC that is cordoned and not there.
pub fn absent(cordons: &[AbsentCordon]) -> String {
    let line = |cordon: &AbsentCordon| {
        let reason = match cordon.reason.as_str() {
            "" => String::new(),
            reason => format!(" ({})", visible(reason)),
        };
        format!("cordoned, and not there: {}{reason}\n", cordon.address)
    };
    cordons.iter().map(line).collect()
}

fn row(nic: &NicStatus) -> [Cell; 7] {
    let or = |otherwise: &str, value: Option<String>| plain(value.unwrap_or_else(|| otherwise.to_owned()));
    let or_unknown = |value| or("?", value);
    [
        plain(&nic.address),
        or_unknown(nic.cxi.clone()),
        or("-", nic.netdev.clone()),
        or_unknown(
            nic.generation
                .as_ref()
                .map(|generation| format!("{generation} {}", nic.function)),
        ),
        or("-", nic.numa.map(|numa| numa.to_string())),
        or_unknown(nic.speed_mbps.map(|speed| format!("{} Gb/s", speed / 1000))),
        or_unknown(nic.nid.map(|nid| format!("{nid:#x}"))),
    ]
}

fn state(nic: &NicStatus) -> Cell {
    (style(nic), nic.state())
}

fn style(nic: &NicStatus) -> anstyle::Style {
    match (nic.healthy, nic.state() == "healthy") {
        (true, true) => GOOD,
        (true, false) => WARNING,
        (false, _) if nic.withheld.is_some() => WARNING,
        (false, _) => BAD,
    }
}
