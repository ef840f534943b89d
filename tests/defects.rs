//! `tests/DEFECTS.md` and `tests/TROUBLES.md` are kept true: each row once, none open, and each test that they name is where
//! they say.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tables, and how many rows each has.
const TABLES: [(&str, usize); 2] = [("tests/DEFECTS.md", 43), ("tests/TROUBLES.md", 15)];
/// Titles of the work that is still open.
const OPEN_WORK: [&str; 4] = ["Generator", "Virtual machine", "Hotplug and health", "Host"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Number and last column of each row.
fn rows(table: &str) -> Vec<(usize, String)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let number = cells[0].parse().ok()?;
        assert_eq!(cells.len(), 3, "{table}: a row needs three columns: {line}");
        Some((number, cells[2].to_owned()))
    };
    let text = read(&top().join(table));
    text.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(row)
        .collect()
}

/// What is wrong with the test that a row names, if something is.
fn fault(test: &str) -> Option<String> {
    let Some((file, name)) = test.split_once("::") else {
        return Some(format!("'{test}' is not FILE::NAME"));
    };
    let Ok(source) = fs::read_to_string(top().join(file)) else {
        return Some(format!("names {file}, which is not there"));
    };
    // A test function and no helper: an attribute that ends in "test]" stands above it.
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let declared = [format!("fn {name}("), format!("async fn {name}(")];
    let is_test = lines
        .windows(2)
        .any(|pair| pair[0].ends_with("test]") && declared.iter().any(|start| pair[1].starts_with(start)));
    (!is_test).then(|| format!("names the test {name}, which is not in {file}"))
}

/// The same for a check of a rig: a function of the script that a check calls.
fn fault_of_rig(check: &str) -> Option<String> {
    let Some((file, name)) = check.split_once("::") else {
        return Some(format!("'{check}' is not FILE::FUNCTION"));
    };
    let Ok(source) = fs::read_to_string(top().join(file)) else {
        return Some(format!("names {file}, which is not there"));
    };
    let declared = source.lines().any(|line| line == format!("{name}() {{"));
    // Behind the text of the check.
    let calls = |line: &str| {
        let behind = |quote: &str| {
            line.split(&format!("{quote} {name}"))
                .skip(1)
                .any(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        line.starts_with("holds_here ") && (behind("'") || behind("\""))
    };
    let called = source.lines().map(str::trim).any(calls);
    (!declared || !called).then(|| format!("names the check {name}, which {file} does not make"))
}

#[test]
fn every_defect_and_every_trouble_has_one_row() {
    for (table, total) in TABLES {
        let mut count: BTreeMap<usize, usize> = (1..=total).map(|number| (number, 0)).collect();
        for (number, _) in rows(table) {
            *count.entry(number).or_default() += 1;
            assert!(
                (1..=total).contains(&number),
                "{table}: nothing has the number {number}"
            );
        }
        for (number, rows) in count {
            assert_eq!(rows, 1, "{table}: number {number} has {rows} rows instead of one");
        }
    }
}

#[test]
fn every_row_holds() {
    let mut faults = Vec::new();
    for (table, number, standing) in TABLES.iter().flat_map(|(table, _)| {
        rows(table)
            .into_iter()
            .map(move |(number, standing)| (table, number, standing))
    }) {
        for part in standing.split(';').map(str::trim) {
            let found: Vec<String> = match part.split_once(": ") {
                Some(("test", tests)) => tests.split(',').filter_map(|test| fault(test.trim())).collect(),
                Some(("rig", checks)) => checks
                    .split(',')
                    .filter_map(|check| fault_of_rig(check.trim()))
                    .collect(),
                Some(("due in", title)) if OPEN_WORK.iter().any(|open| title.starts_with(open)) => Vec::new(),
                Some(("due in", title)) => vec![format!("'{title}' is no open work")],
                Some(("cannot apply", why)) if !why.is_empty() => Vec::new(),
                _ if part.starts_with("MISSING") => vec![format!("has no test yet ({part})")],
                _ => vec![format!("'{part}' is neither test, rig, due in nor cannot apply")],
            };
            faults.extend(found.iter().map(|fault| format!("{table} {number} {fault}")));
        }
    }
    assert!(faults.is_empty(), "rows that do not hold:\n  {}", faults.join("\n  "));
}

/// Defect 41. A site may open the default service; our text must not make it do so on the way.
#[test]
fn the_docs_open_no_nic_to_all_users() {
    let mut texts = vec![top().join("README.md"), top().join("ARCHITECTURE.md")];
    collect(&top().join("docs"), &mut texts);
    for path in texts {
        let text = read(&path).to_lowercase();
        for command in ["cxi_service enable", "cxi_service create", "disable_default_svc=0"] {
            assert!(!text.contains(command), "{} tells to run '{command}'", path.display());
        }
        // Ours is for the page that says what it opens.
        let is_about_it = path.ends_with("docs/services.md");
        let opens = text.contains("services enable-default");
        assert_eq!(opens, is_about_it, "{}", path.display());
    }
}

/// Defect 43. `make test` runs every test there is, and a red one makes `make` and CI fail.
#[test]
fn no_test_is_left_out_and_no_failure_passes() {
    let mut sources = Vec::new();
    collect(&top().join("src"), &mut sources);
    collect(&top().join("tests"), &mut sources);
    let ignore = concat!("#[", "ignore");
    for path in sources
        .iter()
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "rs"))
    {
        assert!(!read(path).contains(ignore), "{} leaves a test out", path.display());
    }
    let makefile = read(&top().join("Makefile"));
    assert!(
        makefile.contains("\n\ttests/run $(CARGO) test --workspace --locked --no-fail-fast\n"),
        "make test does not run the whole workspace, or not strictly"
    );
    let ci = read(&top().join(".ci/run"));
    let words = ["set -euo pipefail", "step test make test", "exit 1"];
    for word in words {
        assert!(ci.contains(word), ".ci/run lacks '{word}'");
    }
    for word in ["continue-on-error", "make test ||", "make check ||", "make e2e ||"] {
        assert!(!ci.contains(word), ".ci/run lets a failure pass: '{word}'");
    }
}

/// Every file below a folder; none if the folder is not there.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
