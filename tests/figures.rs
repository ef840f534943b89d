//! `cxi-sim bench`, the daemon's half of `make bench`, with counts that take seconds: each figure that has a budget is there,
//! beside it. What the figures are depends on the machine, and no test judges it.
#![cfg(test)]

mod common;

use std::path::PathBuf;

use common::network;
use cxi_sim::bench::{Bench, Counts, Part};

/// The beginning of each row, and its limit and aim.
const ROWS: [(&str, &str); 32] = [
    ("--version, exec to end", "ms - -"),
    ("exec to Register, 4 NICs, after a boot", "ms 5 ms -"),
    ("  against --version", "x 3 x -"),
    ("exec to Register, 4 NICs, once more", "ms 5 ms -"),
    ("  against --version", "x 3 x -"),
    ("exec to kubelet's list, 4 NICs", "ms - -"),
    ("Allocate, there and back, p50", "us - -"),
    ("  against an empty call, p50", "x 1.3 x -"),
    ("Allocate, there and back, p99", "us 150 us -"),
    ("  against an empty call, p99", "x 1.3 x -"),
    ("RSS after the start", "MB 6 MB 5 MB"),
    ("RSS after 20 Allocates", "MB 6 MB 5 MB"),
    ("kubelet's start to its list", "ms - 500 ms"),
    ("CPU share, 780 foreign renames/s", "% CPU - -"),
    ("  Allocate meanwhile, p99", "us - -"),
    ("CPU share, 780 rivals' renames/s", "% CPU - -"),
    ("  Allocate meanwhile, p99", "us - -"),
    ("unbind to kubelet's list, 8 NICs", "ms 100 ms -"),
    ("unbind to CDI file, 8 NICs", "ms 100 ms -"),
    ("bind to kubelet's list, 8 NICs", "ms 100 ms -"),
    ("bind to CDI file, 8 NICs", "ms 100 ms -"),
    ("CPU per event, 25 events/s, 1 NICs", "ms 1 ms -"),
    ("CPU per event, 25 events/s, 2 NICs", "ms 1 ms -"),
    ("  2 NICs against 1", "x - -"),
    ("CPU share, 1000 events/s, 2 NICs", "% CPU - -"),
    ("CPU of an idle minute, no poll, 8 NICs", "ms 0 ms -"),
    ("CPU of an idle minute, --pulse 30, 8 NICs", "ms 5 ms 2 ms"),
    ("CPU of one slow poll, 8 NICs", "ms - -"),
    ("CreateContainer, 1 NICs, p50", "ms 100 ms -"),
    ("CreateContainer, 1 NICs, p99", "ms 100 ms -"),
    ("StopPodSandbox, 1 NICs, p50", "ms 100 ms -"),
    ("StopPodSandbox, 1 NICs, p99", "ms 100 ms -"),
];
/// The same once more with as many NICs as this machine has devices to stand for, up to eight.
const WITH_MORE: usize = 4;

#[tokio::test]
async fn each_figure_is_beside_its_limit_and_aim() {
    if !network::is_own("each_figure_is_beside_its_limit_and_aim") {
        return;
    }
    let bench = Bench {
        plugin: PathBuf::from(env!("CARGO_BIN_EXE_cxi-device-plugin")),
        counts: Counts {
            starts: 2,
            allocates: 20,
            pods: 3,
            restarts: 2,
            rounds: 1,
            renames: 40,
            nics: vec![1, 2],
            storm_seconds: 1,
            settle: 0,
            polls: 1,
            pulse: 1,
        },
    };
    let (mut table, mut progress) = (Vec::new(), Vec::new());
    bench.run(&Part::ALL, &mut table, &mut progress).await.unwrap();
    let table = String::from_utf8(table).unwrap();
    // What strace would count is skipped where there is none; a part that is skipped leaves too few rows.
    let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with("SKIPPED")).collect();
    assert_eq!(rows.len(), ROWS.len() + WITH_MORE + 3, "{table}");
    for (row, (what, bounds)) in rows[2..].iter().zip(ROWS) {
        let figures = row.strip_prefix(what).unwrap_or_else(|| panic!("no {what:?}: {table}"));
        let (measured, figures) = figures.trim().split_once(' ').unwrap();
        assert!(measured.parse::<f64>().unwrap().is_finite(), "{row}");
        let words: Vec<&str> = figures.split_whitespace().collect();
        assert!(words.join(" ").starts_with(bounds), "{bounds:?}: {row}");
    }
    assert!(rows[0].starts_with("load average "), "{table}");
    assert_eq!(String::from_utf8(progress).unwrap().lines().count(), 11);
}
