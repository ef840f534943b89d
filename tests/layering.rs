//! The shape that ARCHITECTURE.md promises: what decides knows no outside, and data flows one way.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// What decides: no disk, no clock, no network, no async, no other room of the house.
const PURE: &[&str] = &[
    "allocate.rs",
    "cdi/drift.rs",
    "cdi/format.rs",
    "cdi/mod.rs",
    "cdi/model.rs",
    "cdi/naming.rs",
    "cdi/netdev_view.rs",
    "cdi/read.rs",
    "cdi/render.rs",
    "cdi/survey.rs",
    "config/fragment.rs",
    "config/inputs.rs",
    "config/keys.rs",
    "config/mod.rs",
    "config/problem.rs",
    "config/reload.rs",
    "config/settings.rs",
    "config/show.rs",
    "config/unknown.rs",
    "config/value.rs",
    "config/warnings.rs",
    "container/mod.rs",
    "container/parse.rs",
    "container/verdict.rs",
    "doctor/cdi.rs",
    "doctor/containerd.rs",
    "doctor/driver.rs",
    "doctor/facts.rs",
    "doctor/finding.rs",
    "doctor/libraries.rs",
    "doctor/limits.rs",
    "doctor/mod.rs",
    "doctor/network.rs",
    "doctor/nics.rs",
    "doctor/redact.rs",
    "doctor/runtime.rs",
    "doctor/services.rs",
    "environment.rs",
    "export/device_info.rs",
    "export/labels.rs",
    "glibc.rs",
    "health/assess.rs",
    "health/condition.rs",
    "health/engine.rs",
    "health/hold.rs",
    "health/memory.rs",
    "health/mod.rs",
    "health/outcome.rs",
    "health/policy.rs",
    "health/strain.rs",
    "image.rs",
    "inventory.rs",
    "kubelet/backoff.rs",
    "libraries.rs",
    "loader.rs",
    "message_id.rs",
    "metrics/view.rs",
    "netlink/generic.rs",
    "netlink/link.rs",
    "netlink/mod.rs",
    "netlink/uevent.rs",
    "offer.rs",
    "pci.rs",
    "preference.rs",
    "rate_limit.rs",
    "readiness.rs",
    "remedy.rs",
    "resource.rs",
    "selection.rs",
    "settle.rs",
    "snapshot.rs",
    "status.rs",
    "trigger.rs",
];

/// What both programs share, beside what decides.
const SHARED: [&str; 4] = ["exit.rs", "host_args.rs", "log.rs", "nic_table.rs"];

/// What only puts things together.
const TOP: [&str; 1] = ["lib.rs"];

/// Every other file is in one of these.
const FOLDERS: [&str; 9] = [
    "bin",
    "daemon",
    "export",
    "generator",
    "host",
    "kubelet",
    "metrics",
    "plugin",
    "terminal",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_free_of(name: &str, forbidden: &[&str]) {
    let code: Vec<String> = source(name)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(str::to_owned)
        .collect();
    for word in forbidden {
        let found = code.iter().find(|line| line.contains(word));
        assert!(found.is_none(), "src/{name} uses {word}: {}", found.unwrap());
    }
}

/// Names below src/ of all Rust files in a folder and in its folders.
fn sources_in(folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    collect(&root().join(folder), &mut names);
    assert!(!names.is_empty(), "{folder}");
    names.sort();
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let name = path.strip_prefix(root()).unwrap();
            names.push(name.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn each_file_has_its_place() {
    let listed: Vec<&str> = [PURE, &SHARED, &TOP].concat();
    for name in sources_in("") {
        let in_folder = name
            .split_once('/')
            .is_some_and(|(folder, _)| FOLDERS.contains(&folder));
        assert!(
            listed.contains(&name.as_str()) || in_folder,
            "src/{name} is in no rule: add it to a list of tests/layering.rs; to PURE if it decides something"
        );
    }
}

#[test]
fn what_decides_is_pure() {
    let outside = [
        "std::fs",
        "std::net",
        "std::env",
        "std::time::Instant",
        "SystemTime",
        "tokio",
        "tonic",
        "nix::",
        "async ",
    ];
    let rooms = [
        "crate::host",
        "crate::kubelet",
        "crate::daemon",
        "crate::export",
        "crate::generator",
        "crate::plugin",
        "crate::terminal",
    ];
    for name in PURE {
        assert_free_of(name, &outside);
        assert_free_of(name, &rooms);
    }
}

#[test]
fn what_both_programs_share_knows_neither_of_them_nor_kubelet() {
    for name in SHARED {
        assert_free_of(
            name,
            &["crate::kubelet", "crate::daemon", "crate::generator", "tokio", "tonic"],
        );
    }
}

#[test]
fn the_host_knows_nothing_of_kubelet_or_of_programs() {
    for name in sources_in("host") {
        assert_free_of(&name, &["crate::kubelet", "crate::daemon", "crate::generator", "tonic"]);
    }
}

#[test]
fn kubelet_knows_nothing_of_scans_and_files_of_the_node() {
    for name in sources_in("kubelet") {
        assert_free_of(
            &name,
            &[
                "host::scan",
                "host::cdi_directory",
                "host::store",
                "crate::daemon",
                "crate::generator",
            ],
        );
    }
}

#[test]
fn metrics_know_what_is_counted_and_nobody_who_counts_or_reads() {
    for name in sources_in("metrics") {
        assert_free_of(
            &name,
            &[
                "std::fs",
                "crate::host",
                "crate::kubelet",
                "crate::daemon",
                "crate::export",
                "tonic",
            ],
        );
    }
}

#[test]
fn exports_know_nothing_of_kubelet_and_of_programs() {
    for name in sources_in("export") {
        assert_free_of(
            &name,
            &[
                "crate::kubelet",
                "crate::daemon",
                "crate::generator",
                "crate::plugin",
                "tonic",
            ],
        );
    }
}

#[test]
fn the_generator_never_talks_to_kubelet() {
    for name in sources_in("generator") {
        assert_free_of(
            &name,
            &[
                "crate::kubelet",
                "crate::daemon",
                "crate::export",
                "crate::metrics",
                "tokio",
            ],
        );
    }
}

#[test]
fn the_daemon_knows_nothing_of_the_generator_and_of_terminals() {
    for name in sources_in("daemon") {
        assert_free_of(&name, &["crate::generator", "crate::plugin", "crate::terminal"]);
    }
}

#[test]
fn the_plugin_knows_nothing_of_the_generator() {
    for name in sources_in("plugin") {
        assert_free_of(&name, &["crate::generator"]);
    }
}

#[test]
fn what_speaks_to_people_knows_nothing_of_what_is_said() {
    for name in sources_in("terminal") {
        assert_free_of(
            &name,
            &[
                "crate::host",
                "crate::kubelet",
                "crate::daemon",
                "crate::generator",
                "crate::plugin",
                "tokio",
            ],
        );
    }
}
