//! The shape that ARCHITECTURE.md promises: what decides knows no outside, and data flows one way.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// What decides: no disk, no clock, no network, no async, no other room of the house.
const PURE: &[&str] = &[
    "model/alloc/allocate.rs",
    "model/cdi/drift.rs",
    "model/cdi/format.rs",
    "model/cdi/mod.rs",
    "model/cdi/model.rs",
    "model/cdi/naming.rs",
    "model/cdi/netdev_view.rs",
    "model/cdi/read.rs",
    "model/cdi/render.rs",
    "model/cdi/survey.rs",
    "model/config/fragment.rs",
    "model/config/inputs.rs",
    "model/config/keys.rs",
    "model/config/mod.rs",
    "model/config/problem.rs",
    "model/config/reload.rs",
    "model/config/settings.rs",
    "model/config/show.rs",
    "model/config/unknown.rs",
    "model/config/value.rs",
    "model/config/warnings.rs",
    "model/container/mod.rs",
    "model/container/parse.rs",
    "model/container/verdict.rs",
    "model/doctor/cdi.rs",
    "model/doctor/containerd.rs",
    "model/doctor/driver.rs",
    "model/doctor/facts.rs",
    "model/doctor/finding.rs",
    "model/doctor/libraries.rs",
    "model/doctor/limits.rs",
    "model/doctor/mod.rs",
    "model/doctor/network.rs",
    "model/doctor/nics.rs",
    "model/doctor/redact.rs",
    "model/doctor/runtime.rs",
    "model/doctor/services.rs",
    "model/cdi/environment.rs",
    "export/device_info.rs",
    "export/nfd_labels.rs",
    "model/libs/glibc.rs",
    "model/health/checks/required.rs",
    "model/health/condition.rs",
    "model/health/engine.rs",
    "model/health/hold.rs",
    "model/health/history.rs",
    "model/health/mod.rs",
    "model/health/check_result.rs",
    "model/health/policy.rs",
    "model/health/checks/degradation.rs",
    "model/libs/image.rs",
    "model/nic/inventory.rs",
    "model/backoff.rs",
    "model/libs/library_mode.rs",
    "model/libs/loader.rs",
    "model/message_id.rs",
    "metrics/exported_nic.rs",
    "model/netlink/generic.rs",
    "model/netlink/link.rs",
    "model/netlink/mod.rs",
    "model/netlink/uevent.rs",
    "model/nic/offer.rs",
    "model/nic/pci.rs",
    "model/alloc/preference.rs",
    "model/rate_limit.rs",
    "model/readiness.rs",
    "model/remedy.rs",
    "model/alloc/resource.rs",
    "model/nic/selection.rs",
    "model/coalesce.rs",
    "model/alloc/snapshot.rs",
    "model/status.rs",
    "model/trigger.rs",
];

/// What both programs share, beside what decides.
const SHARED: [&str; 4] = [
    "cli/exit.rs",
    "cli/host_args.rs",
    "cli/terminal/nic_table.rs",
    "daemon/log.rs",
];

/// What only puts things together.
const TOP: [&str; 1] = ["lib.rs"];

/// Every other file is in one of these.
const FOLDERS: [&str; 8] = ["bin", "cli", "daemon", "export", "host", "kubelet", "metrics", "model"];

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
        "crate::cli::generator",
        "crate::cli::plugin",
        "crate::cli::terminal",
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
            &[
                "crate::kubelet",
                "crate::daemon",
                "crate::cli::generator",
                "tokio",
                "tonic",
            ],
        );
    }
}

#[test]
fn the_host_knows_nothing_of_kubelet_or_of_programs() {
    for name in sources_in("host") {
        assert_free_of(
            &name,
            &["crate::kubelet", "crate::daemon", "crate::cli::generator", "tonic"],
        );
    }
}

#[test]
fn kubelet_knows_nothing_of_scans_and_files_of_the_node() {
    for name in sources_in("kubelet") {
        assert_free_of(
            &name,
            &[
                "host::nics",
                "host::cdi_dir",
                "files::store",
                "crate::daemon",
                "crate::cli::generator",
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
                "crate::cli::generator",
                "crate::cli::plugin",
                "tonic",
            ],
        );
    }
}

#[test]
fn the_generator_never_talks_to_kubelet() {
    for name in sources_in("cli/generator") {
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
        assert_free_of(
            &name,
            &["crate::cli::generator", "crate::cli::plugin", "crate::cli::terminal"],
        );
    }
}

#[test]
fn the_plugin_knows_nothing_of_the_generator() {
    for name in sources_in("cli/plugin") {
        assert_free_of(&name, &["crate::cli::generator"]);
    }
}

#[test]
fn what_speaks_to_people_knows_nothing_of_what_is_said() {
    for name in sources_in("cli/terminal") {
        assert_free_of(
            &name,
            &[
                "crate::host",
                "crate::kubelet",
                "crate::daemon",
                "crate::cli::generator",
                "crate::cli::plugin",
                "tokio",
            ],
        );
    }
}
