//! Where things are on the host and where we look for them: prefix, node roots and library roots, each set or not.
#![cfg(test)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Generator, node};
use cxi_device_plugin::host::files::roots::{RootArgs, Roots};
use cxi_sim::node::{Kind, NicSpec};

struct Row {
    prefix: bool,
    node_roots: bool,
    library_roots: bool,
    /// For sysfs, a device node, libfabric and libcxi: where we read, and what the spec says. `T` is a folder of ours.
    read: [&'static str; 4],
    host: [&'static str; 4],
}

const SYS: &str = "/sys/bus/pci/devices";
const NODE: &str = "/dev/cxi0";
const FABRIC: &str = "/opt/cray/lib64/libfabric.so.1";
const CXI: &str = "/usr/lib64/libcxi.so.1";

const TABLE: [Row; 8] = [
    Row {
        prefix: false,
        node_roots: false,
        library_roots: false,
        read: [SYS, NODE, FABRIC, CXI],
        host: [SYS, NODE, FABRIC, CXI],
    },
    Row {
        prefix: false,
        node_roots: true,
        library_roots: false,
        read: ["T/s/bus/pci/devices", "T/d/cxi0", FABRIC, CXI],
        host: ["T/s/bus/pci/devices", "T/d/cxi0", FABRIC, CXI],
    },
    Row {
        prefix: false,
        node_roots: false,
        library_roots: true,
        read: [SYS, NODE, "T/o/libfabric.so.1", "T/c/libcxi.so.1"],
        host: [SYS, NODE, "T/o/libfabric.so.1", "T/c/libcxi.so.1"],
    },
    Row {
        prefix: false,
        node_roots: true,
        library_roots: true,
        read: [
            "T/s/bus/pci/devices",
            "T/d/cxi0",
            "T/o/libfabric.so.1",
            "T/c/libcxi.so.1",
        ],
        host: [
            "T/s/bus/pci/devices",
            "T/d/cxi0",
            "T/o/libfabric.so.1",
            "T/c/libcxi.so.1",
        ],
    },
    Row {
        prefix: true,
        node_roots: false,
        library_roots: false,
        read: [
            "T/p/sys/bus/pci/devices",
            "T/p/dev/cxi0",
            "T/p/opt/cray/lib64/libfabric.so.1",
            "T/p/usr/lib64/libcxi.so.1",
        ],
        host: [SYS, NODE, FABRIC, CXI],
    },
    Row {
        prefix: true,
        node_roots: true,
        library_roots: false,
        read: [
            "T/pT/s/bus/pci/devices",
            "T/pT/d/cxi0",
            "T/p/opt/cray/lib64/libfabric.so.1",
            "T/p/usr/lib64/libcxi.so.1",
        ],
        host: ["T/s/bus/pci/devices", "T/d/cxi0", FABRIC, CXI],
    },
    Row {
        prefix: true,
        node_roots: false,
        library_roots: true,
        read: [
            "T/p/sys/bus/pci/devices",
            "T/p/dev/cxi0",
            "T/pT/o/libfabric.so.1",
            "T/pT/c/libcxi.so.1",
        ],
        host: [SYS, NODE, "T/o/libfabric.so.1", "T/c/libcxi.so.1"],
    },
    Row {
        prefix: true,
        node_roots: true,
        library_roots: true,
        read: [
            "T/pT/s/bus/pci/devices",
            "T/pT/d/cxi0",
            "T/pT/o/libfabric.so.1",
            "T/pT/c/libcxi.so.1",
        ],
        host: [
            "T/s/bus/pci/devices",
            "T/d/cxi0",
            "T/o/libfabric.so.1",
            "T/c/libcxi.so.1",
        ],
    },
];

#[test]
fn the_golden_table_of_prefix_and_roots() {
    for row in TABLE {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        let prefix = row.prefix.then(|| top.join("p"));
        let below = prefix.clone().unwrap_or_default();
        for name in ["s", "d", "o", "c"] {
            let set = top.join(name);
            fs::create_dir_all(format!("{}{}", below.display(), set.display())).unwrap();
        }
        let set = |on: bool, name: &str| on.then(|| top.join(name));
        let roots = Roots::new(&RootArgs {
            prefix,
            sysfs_root: set(row.node_roots, "s"),
            devfs_root: set(row.node_roots, "d"),
            ofi_root: set(row.library_roots, "o"),
            cxi_root: set(row.library_roots, "c"),
        })
        .unwrap();
        let host: [PathBuf; 4] = [
            roots.sysfs.join("bus/pci/devices"),
            roots.dev.join("cxi0"),
            roots
                .ofi
                .clone()
                .unwrap_or_else(|| "/opt/cray/lib64".into())
                .join("libfabric.so.1"),
            roots
                .cxi
                .clone()
                .unwrap_or_else(|| "/usr/lib64".into())
                .join("libcxi.so.1"),
        ];
        let golden = |text: &str| PathBuf::from(text.replace('T', top.to_str().unwrap()));
        assert_eq!(
            host.clone(),
            row.host.map(golden),
            "prefix {} node {} library {}",
            row.prefix,
            row.node_roots,
            row.library_roots
        );
        assert_eq!(
            host.map(|path| roots.local_path(&path)),
            row.read.map(golden),
            "prefix {} node {} library {}",
            row.prefix,
            row.node_roots,
            row.library_roots
        );
    }
}

/// A node whose roots were moved: the spec speaks of the host, with and without a prefix.
#[test]
fn the_spec_names_paths_of_the_host() {
    let (_folder, node) = node(&[NicSpec::new(Kind::Cassini1)]);
    let top = node.root();

    let by_prefix = Generator::below(top).dry_run();
    assert!(by_prefix.contains("hostPath: /dev/cxi0\n"), "{by_prefix}");
    assert!(
        by_prefix.contains("hostPath: /opt/cray/lib64/libfabric.so.1.30.0\n"),
        "{by_prefix}"
    );
    assert!(!by_prefix.contains(top.to_str().unwrap()), "{by_prefix}");

    let by_roots = Generator::at(top).dry_run();
    assert!(
        by_roots.contains(&format!(
            "- path: /dev/cxi0\n      hostPath: {}/dev/cxi0\n",
            top.display()
        )),
        "{by_roots}"
    );
    assert!(
        by_roots.contains(&format!("hostPath: {}/usr/lib64/libcxi.so.1.7.0\n", top.display())),
        "{by_roots}"
    );

    // Both: the roots are paths inside the prefix.
    move_dir(top, "dev", "hostdev");
    move_dir(top, "usr/lib64", "lib");
    let mut both = Generator::below(top);
    both.env("DEVFS_ROOT", "/hostdev").env("CXI_ROOT", "/lib");
    let both = both.dry_run();
    assert!(
        both.contains("- path: /dev/cxi0\n      hostPath: /hostdev/cxi0\n"),
        "{both}"
    );
    assert!(both.contains("hostPath: /lib/libcxi.so.1.7.0\n"), "{both}");
}

fn move_dir(top: &Path, from: &str, to: &str) {
    fs::rename(top.join(from), top.join(to)).unwrap();
}

#[test]
fn a_root_that_is_set_but_absent_is_an_error_that_names_it() {
    let (_folder, node) = node(&[]);
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
        let output = Generator::below(node.root())
            .env(variable, "/absent")
            .arg("-n")
            .output();
        assert_eq!(output.code, 78);
        assert!(
            output
                .stderr
                .contains(&format!("{variable} is set to '/absent', which is not a directory")),
            "{}",
            output.stderr
        );
        let output = Generator::below(node.root()).env(variable, "sys").arg("-n").output();
        assert_eq!(output.code, 78);
        assert!(
            output
                .stderr
                .contains(&format!("{variable} is set to 'sys': give an absolute path")),
            "{}",
            output.stderr
        );
    }
    let output = Generator::below(Path::new("/absent")).arg("-n").output();
    assert_eq!(output.code, 78);
    assert!(
        output.stderr.contains("--root is set to '/absent'"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_empty_root_variable_counts_as_not_set() {
    let (_folder, node) = node(&[NicSpec::new(Kind::Cassini1)]);
    let plain = Generator::below(node.root()).dry_run();
    let empty = Generator::below(node.root())
        .env("SYSFS_ROOT", "")
        .env("OFI_ROOT", "")
        .dry_run();
    assert_eq!(plain, empty);
}

#[test]
fn links_are_followed_inside_the_prefix() {
    let (_folder, node) = node(&[NicSpec::new(Kind::Cassini1)]);
    let top = node.root();
    // An absolute link means a path of the host, not one of ours.
    move_dir(top, "opt/cray/lib64", "opt/real");
    std::os::unix::fs::symlink("/opt/real", top.join("opt/cray/lib64")).unwrap();
    let spec = Generator::below(top).dry_run();
    assert!(spec.contains("hostPath: /opt/real/libfabric.so.1.30.0\n"), "{spec}");
}
