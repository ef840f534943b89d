//! The shape that ARCHITECTURE.md promises: what decides knows no outside, arrows lead downwards, and none in a circle.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "layering/imports.rs"]
mod imports;

use imports::{Names, names};

/// Every room of `src`, the lowest floor first. A file uses its own room and those on lower floors.
const FLOORS: &[&[&str]] = &[
    &[
        "model/backoff.rs",
        "model/coalesce.rs",
        "model/libs",
        "model/message_id.rs",
        "model/netlink",
        "model/pace.rs",
        "model/path_walk.rs",
        "model/printable.rs",
        "model/rate_limit.rs",
        "model/reading.rs",
        "model/unit_sandbox.rs",
    ],
    &["model/services"],
    &["model/nic"],
    &["model/isolation"],
    &["model/health"],
    &["model/cdi", "model/remedy.rs", "model/trigger.rs"],
    &["model/alloc"],
    &["model/runtime"],
    &["model/pods", "model/readiness.rs", "model/status.rs"],
    &["model/container"],
    &["model/config", "model/doctor"],
    &["host/clock.rs", "host/notify_socket.rs", "host/worker.rs"],
    &["host/files", "metrics"],
    &["host/failure_log.rs"],
    &[
        "host/cdi_dir",
        "host/device",
        "host/events",
        "host/libraries",
        "host/node_links.rs",
    ],
    &["host/nics"],
    &["host/containers"],
    &["host/probe"],
    &["host/bundle"],
    &["export", "kubelet"],
    &["daemon"],
    &["isolation"],
    &["cli/host_args.rs"],
    &["cli/exit.rs"],
    &["cli/terminal"],
    &["cli/generator", "cli/plugin"],
    &["bin"],
];

/// Files that only list the modules below them.
const LISTS: [&str; 4] = ["lib.rs", "cli/mod.rs", "host/mod.rs", "model/mod.rs"];

/// What a room does without although it stands on a lower floor, and crates that are not for it.
const WITHOUT: &[(&str, &[&str])] = &[
    // Scans, our spec and other files of the node reach kubelet's service as a snapshot.
    ("isolation", &["tonic::transport", "export", "metrics"]),
    (
        "kubelet",
        &[
            "host/nics",
            "host/cdi_dir",
            "host/libraries",
            "host/files/atomic_file.rs",
        ],
    ),
    // By hand, without a daemon: nothing of kubelet, nothing async.
    (
        "cli/generator",
        &["kubelet", "daemon", "export", "metrics", "tokio", "tonic"],
    ),
    // How something is said, not what.
    (
        "cli/terminal",
        &["host", "kubelet", "daemon", "export", "metrics", "tokio", "tonic"],
    ),
    (
        "cli/host_args.rs",
        &["kubelet", "daemon", "export", "metrics", "tokio", "tonic"],
    ),
    (
        "cli/exit.rs",
        &["kubelet", "daemon", "export", "metrics", "tokio", "tonic"],
    ),
    ("metrics", &["std::fs", "std::net", "nix", "tonic"]),
    ("export", &["tonic"]),
    ("host", &["tonic"]),
];

/// What decides beside `model`: what is said of a NIC to others.
const PURE_FILES: [&str; 4] = [
    "export/device_info.rs",
    "export/nfd_labels.rs",
    "isolation/nri/frames.rs",
    "metrics/exported_nic.rs",
];

/// Modules of std that know no outside.
const PURE_STD: &[&str] = &[
    "borrow",
    "cmp",
    "collections",
    "convert",
    "error",
    "fmt",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "path",
    "str",
    "string",
];
/// Other paths that what decides may name: values and derives.
const PURE_CRATES: &[&str] = &[
    "clap::ValueEnum",
    "clap::builder",
    "fastrand::Rng",
    "netlink_packet_core",
    "serde",
    "serde_json",
    "serde_saphyr",
    "similar",
    "std::time::Duration",
    "strsim",
    "thiserror",
    "toml",
    "tracing::Level",
];
/// Types that every file knows, and that have functions.
const PRIMITIVES: &[&str] = &[
    "bool", "char", "f64", "i32", "i64", "str", "u8", "u16", "u32", "u64", "usize",
];
/// Methods of paths that look at the disk, and macros that write.
const IMPURE_CALLS: &[&str] = &[
    "await",
    "canonicalize",
    "dbg!",
    "eprint!",
    "eprintln!",
    "exists",
    "is_dir",
    "is_file",
    "is_symlink",
    "metadata",
    "print!",
    "println!",
    "read_dir",
    "read_link",
    "symlink_metadata",
    "try_exists",
];

/// A file of `src` by its path there, such as `model/nic/pci.rs`.
type File = String;

/// Every file, with what it names.
fn sources() -> BTreeMap<File, Names> {
    let mut files = BTreeMap::new();
    collect(&root(), &mut files);
    assert!(files.len() > 100, "only {} files", files.len());
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn collect(folder: &Path, files: &mut BTreeMap<File, Names>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            files.insert(name, names(&text));
        }
    }
}

/// The module that a file is: `model::nic::pci`.
fn module(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    if module.first().is_some_and(|first| first == "bin") {
        module.clear();
    }
    module
}

/// A path in full: a name that a `use` has brought in stands for what was imported.
fn expanded(names: &Names, path: &[String]) -> Vec<String> {
    let mut full = path.to_vec();
    // An import may begin with another one; `use serde;` stands for itself.
    for _ in 0..8 {
        let import = full.split_first().filter(|(_, rest)| !rest.is_empty());
        match import.and_then(|(first, rest)| Some((names.imports.get(first)?, rest))) {
            Some((import, rest)) => full = [import.as_slice(), rest].concat(),
            None => break,
        }
    }
    full
}

/// A path of ours from the top of the crate; none for one of another crate.
fn absolute(file: &str, names: &Names, path: &[String]) -> Option<Vec<String>> {
    let path = expanded(names, path);
    let (first, rest) = path.split_first()?;
    let mut place = match first.as_str() {
        "crate" | "cxi_device_plugin" => return Some(rest.to_vec()),
        "self" | "super" => module(file),
        child if names.children.contains(child) => module(file),
        _ => return None,
    };
    for part in path {
        match part.as_str() {
            "self" => {}
            "super" => drop(place.pop()),
            _ => place.push(part),
        }
    }
    Some(place)
}

/// The file in which a path of ours ends; what leads to none is in the crate's own.
fn target(files: &BTreeMap<File, Names>, path: &[String]) -> File {
    let found = (1..=path.len()).rev().find_map(|length| {
        let place = path[..length].join("/");
        let file = [format!("{place}.rs"), format!("{place}/mod.rs")];
        file.into_iter().find(|file| files.contains_key(file))
    });
    found.unwrap_or_else(|| "lib.rs".to_owned())
}

/// Which files each file uses.
fn arrows(files: &BTreeMap<File, Names>) -> BTreeMap<File, BTreeSet<File>> {
    let used = |file: &File, names: &Names| {
        let paths = names.paths.iter().filter_map(|path| absolute(file, names, path));
        let targets = paths.map(|path| target(files, &path));
        targets.filter(|target| target != file).collect()
    };
    let arrows = files.iter().map(|(file, names)| (file.clone(), used(file, names)));
    arrows.collect()
}

/// The room of a file, and its floor.
fn room(file: &str) -> Option<(&'static str, usize)> {
    let rooms = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)));
    rooms.into_iter().find(|(room, _)| is_in(file, room))
}

fn is_in(file: &str, room: &str) -> bool {
    file == room || file.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'))
}

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn each_file_has_its_room() {
    let files = sources();
    let mut problems = Vec::new();
    for (file, names) in &files {
        if LISTS.contains(&file.as_str()) {
            let uses = names.paths.iter().find(|path| absolute(file, names, path).is_some());
            problems.extend(uses.map(|path| format!("src/{file} is a list of modules, but uses {}", path.join("::"))));
        } else if room(file).is_none() {
            problems.push(format!("src/{file} is in no room of FLOORS in tests/layering.rs"));
        }
    }
    for room in FLOORS.iter().copied().flatten() {
        if !files.keys().any(|file| is_in(file, room)) {
            problems.push(format!("FLOORS has a room that is not there: src/{room}"));
        }
    }
    assert_none(problems);
}

#[test]
fn the_street_front_is_small() {
    let entries = fs::read_dir(root()).unwrap().count();
    assert!(entries <= 10, "src has {entries} entries: a newcomer sees at most ten");
}

#[test]
fn arrows_lead_downwards() {
    let mut problems = Vec::new();
    for (file, targets) in arrows(&sources()) {
        let Some((own, floor)) = room(&file) else { continue };
        for target in targets {
            match room(&target) {
                Some((room, _)) if room == own => {}
                Some((_, below)) if below < floor => {}
                Some((room, _)) => problems.push(format!(
                    "src/{file} uses src/{target}, but {room} does not stand on a lower floor than {own}"
                )),
                None => problems.push(format!("src/{file} uses src/{target}, which is a list of modules")),
            }
        }
    }
    assert_none(problems);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut arrows = arrows(&sources());
    // What uses nothing or is used by nothing is in no circle; without it, the same holds for others.
    loop {
        let used: BTreeSet<File> = arrows.values().flatten().cloned().collect();
        let count = arrows.len();
        arrows.retain(|file, targets| !targets.is_empty() && used.contains(file));
        let left: BTreeSet<File> = arrows.keys().cloned().collect();
        arrows
            .values_mut()
            .for_each(|targets| targets.retain(|target| left.contains(target)));
        if arrows.len() == count {
            break;
        }
    }
    let left = arrows
        .iter()
        .map(|(file, targets)| format!("src/{file} -> {targets:?}"));
    assert_none(left.collect());
}

#[test]
fn rooms_do_without_what_is_not_for_them() {
    let files = sources();
    let arrows = arrows(&files);
    let mut problems = Vec::new();
    for (room, without) in WITHOUT {
        for (file, names) in files.iter().filter(|(file, _)| is_in(file, room)) {
            for word in *without {
                let by_path = names.paths.iter().any(|path| begins_with(&expanded(names, path), word));
                if by_path || arrows[file].iter().any(|target| is_in(target, word)) {
                    problems.push(format!("src/{file} uses {word}, which is not for {room}"));
                }
            }
        }
    }
    assert_none(problems);
}

#[test]
fn what_decides_is_pure() {
    let mut problems = Vec::new();
    let is_pure_file = |file: &str| file.starts_with("model/") || PURE_FILES.contains(&file);
    for (file, names) in sources().iter().filter(|(file, _)| is_pure_file(file)) {
        let mut wrong =
            |what: &str| problems.push(format!("src/{file} uses {what}, and what decides knows no outside"));
        for path in &names.paths {
            let is_ours = absolute(file, names, path).is_some();
            // As a method is called by its path: `Path::exists(path)`.
            let is_impure_call = path.last().is_some_and(|call| IMPURE_CALLS.contains(&call.as_str()));
            if is_impure_call || (!is_ours && !is_pure(names, path)) {
                wrong(&path.join("::"));
            }
        }
        for call in IMPURE_CALLS.iter().filter(|call| names.calls.contains(**call)) {
            wrong(call);
        }
        for word in ["async", "unsafe", "static"] {
            if names.words.contains(word) {
                wrong(word);
            }
        }
    }
    assert_none(problems);
}

/// Whether a path that is none of ours knows no outside.
fn is_pure(names: &Names, path: &[String]) -> bool {
    let path = &expanded(names, path);
    let Some(first) = path.first() else { return true };
    let is_allowed = PURE_CRATES.iter().any(|allowed| begins_with(path, allowed));
    match path.get(1) {
        _ if is_allowed => true,
        Some(module) if first == "std" => PURE_STD.contains(&module.as_str()),
        // By a type, or by a module in a block of this file.
        Some(_) if names.modules.contains(first) || PRIMITIVES.contains(&first.as_str()) => true,
        _ => first.starts_with(|letter: char| letter.is_ascii_uppercase()),
    }
}

fn begins_with(path: &[String], beginning: &str) -> bool {
    let beginning: Vec<&str> = beginning.split("::").collect();
    path.len() >= beginning.len() && path.iter().zip(beginning).all(|(part, wanted)| part == wanted)
}
