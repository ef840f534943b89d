//! What the CDI directories of a node offer of our kind, as readers of CDI resolve it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::KIND;
use super::read::{Offered, OfferedDevice};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;

/// Where runtimes read specs unless they are told otherwise, by rising priority.
pub const CDI_DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// A spec file of a CDI directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it offers, or why readers drop it.
    pub content: Result<Offered, String>,
}

/// What the node has, as far as specs are concerned.
#[derive(Debug, Default)]
pub struct HostDevices<'a> {
    /// None when it could not be scanned.
    pub inventory: Option<&'a Inventory>,
    /// Device nodes that specs name and the node does not have.
    pub missing: BTreeSet<String>,
}

/// What comes of a name that a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameState {
    /// Readers resolve it.
    Resolved,
    /// A file of a directory with a higher priority has the name, too, and wins.
    Shadowed {
        /// That file.
        by: PathBuf,
    },
    /// Two files of one directory have the name: readers drop it, from all directories.
    Conflict {
        /// The files that are at odds.
        files: Vec<PathBuf>,
    },
    /// Readers resolve it to something that is gone or has become another NIC's.
    Stale {
        /// What is wrong.
        reason: String,
    },
}

/// A name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedName {
    /// Without the kind.
    pub name: String,
    /// Whose it is.
    pub file: PathBuf,
    /// Its device nodes on the host.
    pub nodes: Vec<String>,
    /// The same as containers have them.
    pub container_nodes: Vec<String>,
    /// What comes of it.
    pub state: NameState,
}

/// A valid file of our kind.
struct Source<'a> {
    priority: usize,
    path: &'a Path,
    devices: &'a [OfferedDevice],
}

/// Every name of our kind in every file, with what comes of it; the directories by rising priority.
pub fn survey(directories: &[Vec<SpecFile>], host: &HostDevices) -> Vec<SurveyedName> {
    let sources = sources(directories);
    let conflicts = conflicts(&sources);
    let mut entries = Vec::new();
    for source in &sources {
        for device in source.devices {
            let state = if let Some(files) = conflicts.get(device.name.as_str()) {
                NameState::Conflict { files: files.clone() }
            } else if let Some(winner) = winner(&sources, device, source.priority) {
                NameState::Shadowed { by: winner.to_owned() }
            } else if let Some(reason) = staleness(device, host) {
                NameState::Stale {
                    reason: reason + revived(&sources, source),
                }
            } else {
                NameState::Resolved
            };
            entries.push(SurveyedName {
                name: device.name.clone(),
                file: source.path.to_owned(),
                nodes: device.nodes.clone(),
                container_nodes: device.container_nodes.clone(),
                state,
            });
        }
    }
    entries
}

fn sources(directories: &[Vec<SpecFile>]) -> Vec<Source<'_>> {
    let files = directories
        .iter()
        .enumerate()
        .flat_map(|(priority, files)| files.iter().map(move |file| (priority, file)));
    files
        .filter_map(|(priority, file)| {
            let offered = file.content.as_ref().ok().filter(|offered| offered.kind == KIND)?;
            Some(Source {
                priority,
                path: &file.path,
                devices: &offered.devices,
            })
        })
        .collect()
}

/// Names that two files of one directory have, with these files. The CDI library drops such a name altogether, even if
/// a directory with a higher priority has it, too (`pkg/cdi/cache.go`, `refresh`).
fn conflicts<'a>(sources: &[Source<'a>]) -> BTreeMap<&'a str, Vec<PathBuf>> {
    let mut files: BTreeMap<(&str, usize), Vec<PathBuf>> = BTreeMap::new();
    for source in sources {
        for device in source.devices {
            let holders = files.entry((&device.name, source.priority)).or_default();
            holders.push(source.path.to_owned());
        }
    }
    let mut conflicts: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for ((name, _), holders) in files.into_iter().filter(|(_, holders)| holders.len() > 1) {
        conflicts.entry(name).or_default().extend(holders);
    }
    conflicts
}

fn winner<'a>(sources: &[Source<'a>], device: &OfferedDevice, priority: usize) -> Option<&'a Path> {
    let above = sources.iter().filter(|source| source.priority > priority);
    above
        .filter(|source| source.devices.iter().any(|other| other.name == device.name))
        .max_by_key(|source| source.priority)
        .map(|source| source.path)
}

fn staleness(device: &OfferedDevice, host: &HostDevices) -> Option<String> {
    let gone = device.nodes.iter().find(|node| host.missing.contains(*node));
    if let Some(node) = gone {
        return Some(format!("{node} is gone"));
    }
    let inventory = host.inventory?;
    let address: PciAddress = device.name.parse().ok()?;
    let Some(nic) = inventory.nics.iter().find(|nic| nic.address == address) else {
        return Some("the NIC is gone".to_owned());
    };
    let own = node_of(nic)?;
    let other = device
        .nodes
        .iter()
        .filter(|node| *node != own)
        .find_map(|node| Some((node, owner(node, inventory)?)));
    other.map(|(node, owner)| format!("{node} is the node of {owner} now"))
}

/// The NIC whose node this is.
fn owner(node: &str, inventory: &Inventory) -> Option<PciAddress> {
    let mut nics = inventory.nics.iter();
    nics.find(|nic| node_of(nic) == Some(node)).map(|nic| nic.address)
}

fn node_of(nic: &Nic) -> Option<&str> {
    nic.node.as_ref().ok()?.path.to_str()
}

/// A directory with a higher priority has our kind, but not the name: without this file it would be gone.
fn revived(sources: &[Source], source: &Source) -> &'static str {
    if sources.iter().any(|other| other.priority > source.priority) {
        "; only this file still has the name"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, names: &[&str]) -> SpecFile {
        let devices = names.iter().map(|name| OfferedDevice {
            name: (*name).to_owned(),
            nodes: vec![format!("/dev/{name}")],
            container_nodes: vec![format!("/dev/{name}")],
        });
        SpecFile {
            path: path.into(),
            content: Ok(Offered {
                kind: KIND.to_owned(),
                devices: devices.collect(),
            }),
        }
    }

    fn states(directories: &[Vec<SpecFile>], host: &HostDevices) -> Vec<(String, NameState)> {
        let entries = survey(directories, host).into_iter();
        entries
            .map(|entry| (format!("{}:{}", entry.file.display(), entry.name), entry.state))
            .collect()
    }

    #[test]
    fn the_highest_directory_wins_name_by_name() {
        let directories = [
            vec![file("low", &["cxi0", "cxi1"])],
            vec![file("middle", &["cxi0"])],
            vec![file("high", &["cxi0"])],
        ];
        let by_high = NameState::Shadowed { by: "high".into() };
        assert_eq!(
            states(&directories, &HostDevices::default()),
            [
                ("low:cxi0".to_owned(), by_high.clone()),
                ("low:cxi1".to_owned(), NameState::Resolved),
                ("middle:cxi0".to_owned(), by_high),
                ("high:cxi0".to_owned(), NameState::Resolved),
            ]
        );
    }

    #[test]
    fn a_conflict_below_takes_the_name_from_the_directory_above_too() {
        let directories = [
            vec![file("a", &["cxi0"]), file("b", &["cxi0", "cxi1"])],
            vec![file("high", &["cxi0"])],
        ];
        let conflict = NameState::Conflict {
            files: vec!["a".into(), "b".into()],
        };
        assert_eq!(
            states(&directories, &HostDevices::default()),
            [
                ("a:cxi0".to_owned(), conflict.clone()),
                ("b:cxi0".to_owned(), conflict.clone()),
                ("b:cxi1".to_owned(), NameState::Resolved),
                ("high:cxi0".to_owned(), conflict),
            ]
        );
    }

    #[test]
    fn files_of_other_kinds_and_bad_files_neither_win_nor_clash() {
        let mut other = file("other", &["cxi0"]);
        if let Ok(offered) = &mut other.content {
            offered.kind = "example.com/cxi".to_owned();
        }
        let bad = SpecFile {
            path: "bad".into(),
            content: Err("no devices".to_owned()),
        };
        let directories = [
            vec![file("ours", &["cxi0"]), other.clone(), bad.clone()],
            vec![other, bad],
        ];
        let expected = [("ours:cxi0".to_owned(), NameState::Resolved)];
        assert_eq!(states(&directories, &HostDevices::default()), expected);
    }

    #[test]
    fn a_name_whose_node_is_gone_is_stale_unless_another_file_wins_it() {
        let host = HostDevices {
            missing: ["/dev/cxi0".to_owned(), "/dev/cxi1".to_owned()].into(),
            ..HostDevices::default()
        };
        let directories = [vec![file("low", &["cxi0", "cxi1"])], vec![file("high", &["cxi1"])]];
        let stale = |reason: &str| NameState::Stale {
            reason: reason.to_owned(),
        };
        assert_eq!(
            states(&directories, &host),
            [
                (
                    "low:cxi0".to_owned(),
                    stale("/dev/cxi0 is gone; only this file still has the name")
                ),
                ("low:cxi1".to_owned(), NameState::Shadowed { by: "high".into() }),
                ("high:cxi1".to_owned(), stale("/dev/cxi1 is gone")),
            ]
        );
    }
}
