//! The shipped example says what every key is by default, and so do the docs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::common::Output;
use super::program::{Entry, Program};

fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn example() -> String {
    shipped("packaging/config/config.toml")
}

/// A key that is commented out has no blank behind its '#', unlike a remark.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn values(config: &[Entry]) -> Vec<String> {
    config
        .iter()
        .map(|entry| format!("{} = {}", entry.key, entry.value))
        .collect()
}

#[test]
fn as_it_is_shipped_the_example_changes_nothing() {
    let config = Program::new(&example()).config(|_| ());
    assert_eq!(values(&config), values(&Program::new("").config(|_| ())));
    assert!(config.iter().all(|entry| entry.origin == "default"), "{config:?}");
}

#[test]
fn uncommented_it_has_every_key_with_its_default() {
    let config = Program::new(&uncommented(&example())).config(|_| ());
    assert_eq!(values(&config), values(&Program::new("").config(|_| ())));
    let unset: Vec<_> = config.iter().filter(|entry| entry.origin == "default").collect();
    assert!(unset.is_empty(), "not in the example: {unset:?}");
}

#[test]
fn what_config_prints_as_toml_is_a_file_that_says_the_same() {
    let program =
        Program::new("exclude = [\"hsn0\"]\n[container.env]\n\"A.B c\" = \"x\\\"y\"\n[kubelet]\nenabled = false\n");
    let mut command = program.command("config");
    command
        .args(["--output", "toml", "--config"])
        .arg(program.path("config.toml"));
    let output: Output = command.output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
    let again = Program::new(&output.stdout).config(|_| ());
    assert_eq!(values(&again), values(&program.config(|_| ())));
    assert!(
        again.iter().all(|entry| entry.origin.starts_with("config.toml:")),
        "{again:?}"
    );
}

#[test]
fn the_docs_have_a_row_for_every_key_with_its_default() {
    let docs = shipped("docs/configuration.md");
    let documented: BTreeSet<String> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"))
        .filter_map(|(key, rest)| Some(format!("{key} = {}", rest.split_once("` |")?.0)))
        .collect();
    let config = Program::new("").config(|_| ());
    let keys: BTreeSet<String> = config
        .iter()
        .map(|entry| {
            let value = entry.value.to_string().replace(',', ", ");
            format!("{} = {value}", entry.key.replace("[0]", ""))
        })
        .collect();
    let missing: Vec<_> = keys.difference(&documented).collect();
    let wrong: Vec<_> = documented.difference(&keys).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "missing: {missing:#?}, not so: {wrong:#?}"
    );
}
