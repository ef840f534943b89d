//! The shape that ARCHITECTURE.md promises: what decides knows no outside, and data flows one way.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// What decides: no disk, no clock, no network, no async, no other room of the house.
const PURE: [&str; 12] = [
    "allocate.rs",
    "cdi/format.rs",
    "cdi/mod.rs",
    "cdi/model.rs",
    "cdi/render.rs",
    "environment.rs",
    "health.rs",
    "inventory.rs",
    "kubelet/backoff.rs",
    "offer.rs",
    "pci.rs",
    "preference.rs",
];

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name);
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

fn sources_in(folder: &str) -> Vec<String> {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = entries
        .filter(|name| name.ends_with(".rs"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    assert!(!names.is_empty(), "{folder}");
    names
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
    let rooms = ["crate::host", "crate::kubelet", "crate::daemon", "crate::generator"];
    for name in PURE.iter().chain(&["resource.rs", "snapshot.rs"]) {
        assert_free_of(name, &outside);
        assert_free_of(name, &rooms);
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
fn the_generator_never_talks_to_kubelet() {
    for name in sources_in("generator") {
        assert_free_of(&name, &["crate::kubelet", "crate::daemon", "tokio"]);
    }
}
