//! What the CDI directories offer of the NICs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::facts::{CdiDirectoryFacts, NodeFacts};
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::cdi::survey::{self, HostDevices, NameState, SpecFile, SurveyedName};
use crate::model::cdi::{FILE_STEM, KIND};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::printable::shell_word;
use crate::model::runtime::places::RuntimeKind;

/// So many names are listed of a file; the rest are counted.
const NAMES_SHOWN: usize = 4;
/// Rootless readers must get in and read.
const ALL_MAY_READ: u32 = 0o004;
const ALL_MAY_ENTER: u32 = 0o005;

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    let mut directories = Vec::new();
    for directory in &facts.cdi {
        let files = examination.known(directory.path.display(), &directory.files);
        directories.push(files.cloned().unwrap_or_default());
        readable(directory, examination);
    }
    let host = HostDevices {
        inventory: facts.inventory.as_ref().ok(),
        missing: facts.missing_nodes.clone(),
    };
    let entries = survey::survey(&directories, &host);
    invalid(&directories, examination);
    conflicts(&entries, examination);
    stale(&entries, examination);
    if facts.cdi.iter().all(|directory| directory.files.is_ok())
        && let Ok(inventory) = &facts.inventory
    {
        unnamed(facts, inventory, &entries, examination);
    }
    beside_daemon(facts, &directories, examination);
    directory_of_crio(facts, examination);
}

fn readable(directory: &CdiDirectoryFacts, examination: &mut Examination) {
    let of_ours: Vec<&SpecFile> = directory.files.iter().flatten().filter(|file| is_ours(file)).collect();
    let mut unreadable: Vec<(&Path, u32)> = (directory.modes.iter())
        .filter(|(path, mode)| mode & ALL_MAY_READ == 0 && of_ours.iter().any(|file| file.path == *path))
        .map(|(path, mode)| (path.as_path(), *mode))
        .collect();
    let is_closed = |mode: &u32| mode & ALL_MAY_ENTER != ALL_MAY_ENTER && !of_ours.is_empty();
    unreadable.extend(
        directory
            .mode
            .filter(is_closed)
            .map(|mode| (directory.path.as_path(), mode)),
    );
    for (path, mode) in unreadable {
        let wanted = if path == directory.path { "755" } else { "644" };
        examination.found(
            (FindingId::CdiNotReadable, Level::Warning),
            path.display(),
            "not everybody may read it, so rootless podman finds no NIC",
            vec![Evidence::new(path, format!("mode {mode:04o}"))],
            format!("chmod {wanted} {}", shell_word(path.display())),
        );
    }
}

fn is_ours(file: &SpecFile) -> bool {
    file.content.as_ref().is_ok_and(|offered| offered.kind == KIND)
}

fn invalid(directories: &[Vec<SpecFile>], examination: &mut Examination) {
    for file in directories.iter().flatten() {
        let Err(reason) = &file.content else { continue };
        examination.found(
            (FindingId::CdiInvalidFile, Level::Warning),
            file.path.display(),
            "readers of CDI drop this file as a whole",
            vec![Evidence::new(&file.path, reason)],
            "correct it or remove it; one of ours: cxi-cdi-generator, or restart cxi-device-plugin",
        );
    }
}

/// One finding for each set of files that are at odds.
fn conflicts(entries: &[SurveyedName], examination: &mut Examination) {
    let mut names: BTreeMap<&[PathBuf], Vec<&str>> = BTreeMap::new();
    for entry in entries {
        if let NameState::Conflict { files } = &entry.state {
            names.entry(files).or_default().push(&entry.name);
        }
    }
    for (files, mut names) in names {
        names.sort_unstable();
        names.dedup();
        let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        examination.found(
            (FindingId::CdiConflict, Level::Problem),
            shown.join(" and "),
            format!(
                "both offer {}, and readers drop a name that two files offer",
                some_of(&names)
            ),
            files.iter().map(|file| Evidence::new(file, KIND)).collect(),
            format!("remove the one that is not {FILE_STEM}.yaml"),
        );
    }
}

/// One finding for each file.
fn stale(entries: &[SurveyedName], examination: &mut Examination) {
    let mut names: BTreeMap<&Path, Vec<(&str, &str)>> = BTreeMap::new();
    for entry in entries {
        if let NameState::Stale { reason } = &entry.state {
            names.entry(&entry.file).or_default().push((&entry.name, reason));
        }
    }
    for (file, stale) in names {
        let only_names: Vec<&str> = stale.iter().map(|(name, _)| *name).collect();
        let evidence = stale.iter().take(NAMES_SHOWN);
        examination.found(
            (FindingId::CdiStale, Level::Problem),
            file.display(),
            format!(
                "{} of this file does not lead to a NIC as it is now",
                some_of(&only_names)
            ),
            evidence
                .map(|(name, reason)| Evidence::new(file, format!("{name}: {reason}")))
                .collect(),
            format!(
                "cxi-cdi-generator --cdi-dir {0} ; or, where the daemon runs: cxi-cdi-generator remove --cdi-dir {0}",
                shell_word(file.parent().unwrap_or(Path::new("/etc/cdi")).display())
            ),
        );
    }
}

fn some_of(names: &[&str]) -> String {
    match names.get(..NAMES_SHOWN) {
        Some(first) if names.len() > NAMES_SHOWN => {
            format!("{} and {} more", first.join(", "), names.len() - NAMES_SHOWN)
        }
        _ => names.join(", "),
    }
}

/// Usable NICs that no file names, not even in vain.
fn unnamed(facts: &NodeFacts, inventory: &Inventory, entries: &[SurveyedName], examination: &mut Examination) {
    let is_named = |nic: &Nic| {
        let node = nic.node.as_ref().ok().and_then(|node| node.path.to_str());
        let address = nic.address.to_string();
        (entries.iter())
            .any(|entry| entry.name == address || entry.nodes.iter().any(|named| Some(named.as_str()) == node))
    };
    let usable = inventory.nics.iter();
    let usable = usable.filter(|nic| nic.node.is_ok() && facts.selection.withheld(nic).is_none());
    let unnamed: Vec<String> = usable.filter(|nic| !is_named(nic)).map(super::nics::name).collect();
    if unnamed.is_empty() {
        return;
    }
    let directories = facts.cdi.iter();
    examination.found(
        (FindingId::CdiNameMissing, Level::Warning),
        unnamed.join(", "),
        format!("no CDI spec has a name for it, so {KIND}=NAME does not work"),
        directories
            .map(|directory| {
                let count = directory.files.as_ref().map_or(0, Vec::len);
                let what = directory
                    .mode
                    .map_or("no directory".to_owned(), |_| format!("{count} spec files"));
                Evidence::new(&directory.path, what)
            })
            .collect(),
        "cxi-cdi-generator ; or, for Kubernetes: systemctl enable --now cxi-device-plugin",
    );
}

/// The daemon's directory is the last one; a file of ours in another one brings names back that the daemon takes away.
fn beside_daemon(facts: &NodeFacts, directories: &[Vec<SpecFile>], examination: &mut Examination) {
    let Some(pid) = facts.daemon.pid else { return };
    let below = directories.split_last().map(|(_, below)| below).unwrap_or_default();
    for file in below.iter().flatten().filter(|file| is_ours(file)) {
        examination.found(
            (FindingId::CdiStaticBesideDaemon, Level::Warning),
            file.path.display(),
            "a static spec beside that of the running daemon: a name that the daemon takes away stays here",
            vec![
                Evidence::new(&file.path, KIND),
                Evidence::new(format!("/proc/{pid}"), "cxi-device-plugin"),
            ],
            format!(
                "cxi-cdi-generator remove --cdi-dir {}",
                shell_word(file.path.parent().unwrap_or(Path::new("/etc/cdi")).display())
            ),
        );
    }
}

/// The CDI library of older CRI-O drops all directories when one is missing.
fn directory_of_crio(facts: &NodeFacts, examination: &mut Examination) {
    if !facts.runtimes.iter().any(|runtime| runtime.kind == RuntimeKind::Crio) {
        return;
    }
    let missing = facts.cdi.iter().filter(|directory| directory.mode.is_none());
    for path in missing.map(|directory| directory.path.display()) {
        examination.found(
            (FindingId::CdiDirectoryMissing, Level::Note),
            path.to_string(),
            "CRI-O 1.24 and older finds no spec at all where one of its CDI directories is missing",
            vec![Evidence::new(path.to_string(), "missing")],
            format!("mkdir -m 755 {}", shell_word(path)),
        );
    }
}
