//! What a change of the node does to the spec on disk: exactly that change, and nothing at all where the spec does not speak of
//! it.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::generator_fixture::{FIRST, GeneratorFixture, SECOND, THIRD, identity, nic};
use common::listing;
use similar::{ChangeTag, TextDiff};

/// The spec of two NICs on disk.
fn written(args: [&str; 2]) -> (GeneratorFixture, String) {
    let fixture = GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]);
    assert_eq!(fixture.write(args).code, 0);
    let text = text(&fixture);
    (fixture, text)
}

fn text(fixture: &GeneratorFixture) -> String {
    fs::read_to_string(fixture.file("yaml")).unwrap()
}

/// The lines of one NIC's devices, and its line pair in `all`; without the quotes that YAML wants around some names.
fn lines_of(pci: &str, number: u32) -> Vec<String> {
    let node = [
        format!("    - path: /dev/cxi{number}"),
        format!("      hostPath: /dev/cxi{number}"),
    ];
    let names = [pci.to_owned(), format!("cxi{number}"), number.to_string()];
    let head = |name| {
        [
            format!("- name: {name}"),
            "  containerEdits:".into(),
            "    deviceNodes:".into(),
        ]
    };
    let devices = names.iter().flat_map(|name| head(name).into_iter().chain(node.clone()));
    devices.chain(node.clone()).collect()
}

/// Runs again and compares line by line, whatever their order.
fn assert_changed(fixture: &GeneratorFixture, args: [&str; 2], before: &str, removed: &[String], added: &[String]) {
    let output = fixture.write(args);
    assert!(output.code == 0 && output.stdout.starts_with("wrote "), "{output:?}");
    let after = text(fixture);
    let diff = TextDiff::from_lines(before, &after);
    for (tag, wanted) in [(ChangeTag::Delete, removed), (ChangeTag::Insert, added)] {
        let changes = diff.iter_all_changes().filter(|change| change.tag() == tag);
        let mut lines: Vec<String> = changes
            .map(|change| change.value().trim_end().replace('"', ""))
            .collect();
        let mut wanted = wanted.to_vec();
        lines.sort();
        wanted.sort();
        assert_eq!(lines, wanted, "{tag:?}\n{}", diff.unified_diff());
    }
}

const PLAIN: [&str; 2] = ["--libraries", "none"];

#[test]
fn a_nic_that_came_is_all_that_is_added() {
    let (fixture, before) = written(PLAIN);
    fixture.node.add(&nic(THIRD)).unwrap();
    assert_changed(&fixture, PLAIN, &before, &[], &lines_of(THIRD, 2));
}

#[test]
fn a_nic_that_went_is_all_that_is_removed() {
    let (fixture, before) = written(PLAIN);
    fixture.node.remove(FIRST).unwrap();
    assert_changed(&fixture, PLAIN, &before, &lines_of(FIRST, 0), &[]);
}

#[test]
fn a_nic_with_a_new_number_keeps_its_address() {
    let (fixture, before) = written(PLAIN);
    fixture.node.rebind(FIRST).unwrap();
    // The frame of each device stays.
    let moved = |number| {
        let mut lines = lines_of(FIRST, number);
        lines.retain(|line| line.contains("cxi") || line.ends_with(&format!(" {number}")));
        lines
    };
    assert_changed(&fixture, PLAIN, &before, &moved(0), &moved(2));
}

#[test]
fn a_new_library_changes_its_own_lines() {
    let args = ["--expose", "private"];
    let (fixture, before) = written(args);
    let directory = fixture.host("usr/lib64");
    fs::rename(directory.join("libcxi.so.1.7.0"), directory.join("libcxi.so.1.8.0")).unwrap();
    for link in ["libcxi.so.1", "libcxi.so"] {
        fs::remove_file(directory.join(link)).unwrap();
        symlink("libcxi.so.1.8.0", directory.join(link)).unwrap();
    }
    let line = |version: &str| vec![format!("  - hostPath: /usr/lib64/libcxi.so.{version}")];
    assert_changed(&fixture, args, &before, &line("1.7.0"), &line("1.8.0"));
}

#[test]
fn a_device_beside_the_nics_is_all_that_is_added() {
    let (fixture, before) = written(PLAIN);
    symlink("/dev/full", fixture.host("dev/xpmem")).unwrap();
    let added = [
        "containerEdits:",
        "  deviceNodes:",
        "  - path: /dev/xpmem",
        "    hostPath: /dev/xpmem",
    ];
    assert_changed(&fixture, PLAIN, &before, &[], &added.map(str::to_owned));
}

/// Not even a temporary file is made: the directory is as old as before.
#[test]
fn what_the_spec_does_not_speak_of_writes_nothing() {
    let (fixture, before) = written(PLAIN);
    let identities = || {
        (
            identity(&fixture.cdi()),
            identity(&fixture.file("yaml")),
            listing(&fixture.cdi()),
        )
    };
    let untouched = identities();
    let assert_untouched = |what: &str| {
        let output = fixture.write(PLAIN);
        assert!(output.stdout.contains(" is up to date: "), "{what}: {output:?}");
        assert_eq!(identities(), untouched, "{what}");
    };
    assert_untouched("nothing changed");
    fixture.node.link(FIRST, false).unwrap();
    assert_untouched("the link is down");
    fixture.node.set(FIRST, "properties/pct_eq", b"0\n").unwrap();
    assert_untouched("the retry handler died");
    fixture.node.set(SECOND, "numa_node", b"-1\n").unwrap();
    assert_untouched("the NUMA node is unknown");
    fixture.node.rebind(FIRST).unwrap();
    assert_eq!(fixture.write(PLAIN).code, 0);
    assert_ne!(text(&fixture), before, "the test can fail");
    assert_ne!(identities(), untouched);
}

#[test]
fn nics_that_go_one_by_one_leave_nothing() {
    let (fixture, before) = written(PLAIN);
    fixture.node.remove(SECOND).unwrap();
    assert_changed(&fixture, PLAIN, &before, &lines_of(SECOND, 1), &[]);
    fixture.node.remove(FIRST).unwrap();
    let output = fixture.write(PLAIN);
    let removed = format!("no usable CXI NIC: removed {}\n", fixture.file("yaml").display());
    assert_eq!((output.code, output.stdout, output.stderr), (0, removed, String::new()));
    assert_eq!(listing(&fixture.cdi()), []);
    let before = identity(&fixture.cdi());
    assert_eq!(fixture.write(PLAIN).code, 0);
    assert_eq!(identity(&fixture.cdi()), before, "nothing left to remove");
}
