//! Which of our devices a runtime would find on disk by the names that pods are given. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::Spec;
use super::survey::{HostDevices, NameState, SpecFile, SurveyedName, survey};

/// Why a runtime does not find a device as we have it, by the device's name.
pub type Unresolved = BTreeMap<String, String>;

/// Each of our devices that a runtime does not find, or not as it is: gone from `own`, our file; in conflict; or told
/// otherwise by a file that wins. A foreign file that gives the same device nodes is as good as ours.
pub fn unresolved(directories: &[Vec<SpecFile>], own: &Path, spec: &Spec) -> Unresolved {
    let mut found: BTreeMap<&str, Vec<&SurveyedName>> = BTreeMap::new();
    let names = survey(directories, &HostDevices::default());
    for entry in &names {
        found.entry(&entry.name).or_default().push(entry);
    }
    let reasons = spec.devices.iter().filter_map(|device| {
        let entries = found.get(device.name.as_str()).map_or(&[][..], Vec::as_slice);
        let nodes = device.container_edits.device_nodes.iter();
        let nodes: Vec<&str> = nodes.map(|node| node.host_path.as_str()).collect();
        let reason = fault(entries, &nodes, own).unwrap_or_else(|| absence(directories, own))?;
        Some((device.name.clone(), reason))
    });
    reasons.collect()
}

/// What is wrong with a name that some files have; nothing is said of one that no reader resolves.
fn fault(entries: &[&SurveyedName], nodes: &[&str], own: &Path) -> Option<Option<String>> {
    let conflict = entries.iter().find_map(|entry| match &entry.state {
        NameState::Conflict { files } => Some(files),
        _ => None,
    });
    if let Some(files) = conflict {
        return Some(Some(format!(
            "no runtime resolves its CDI name: {} have it",
            both(files)
        )));
    }
    let winner = entries.iter().find(|entry| entry.state == NameState::Resolved)?;
    let is_same = winner.nodes.iter().map(String::as_str).eq(nodes.iter().copied());
    let file = winner.file.display();
    Some(match (is_same, winner.file == own) {
        (true, _) => None,
        (false, true) => Some(format!("{file} still says what this NIC was before")),
        (false, false) => Some(format!(
            "{file} wins over our CDI file and gives another device by its name"
        )),
    })
}

fn both(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    files.join(" and ")
}

/// Why no file has the name.
fn absence(directories: &[Vec<SpecFile>], own: &Path) -> Option<String> {
    let file = directories.iter().flatten().find(|file| file.path == own);
    Some(match file.map(|file| &file.content) {
        None => format!("{} is not there, so no runtime finds this NIC", own.display()),
        Some(Err(reason)) => format!("runtimes refuse {}: {reason}", own.display()),
        Some(Ok(_)) => format!("{} does not have it", own.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cdi::KIND;
    use crate::model::cdi::model::{CDI_VERSION, CdiDevice, CdiDeviceNode, ContainerEdits};
    use crate::model::cdi::read::{Offered, OfferedDevice};

    fn spec() -> Spec {
        let node = CdiDeviceNode {
            path: "/dev/cxi0".to_owned(),
            host_path: "/dev/cxi0".to_owned(),
        };
        Spec {
            cdi_version: CDI_VERSION.to_owned(),
            kind: KIND.to_owned(),
            devices: vec![CdiDevice {
                name: "nic".to_owned(),
                container_edits: ContainerEdits {
                    device_nodes: vec![node],
                    ..ContainerEdits::default()
                },
            }],
            container_edits: ContainerEdits::default(),
        }
    }

    fn file(path: &str, name: &str, node: &str) -> SpecFile {
        SpecFile {
            path: path.into(),
            content: Ok(Offered {
                kind: KIND.to_owned(),
                devices: vec![OfferedDevice {
                    name: name.to_owned(),
                    nodes: vec![node.to_owned()],
                }],
            }),
        }
    }

    #[test]
    fn a_name_is_judged_as_a_runtime_resolves_it() {
        let own = || file("own", "nic", "/dev/cxi0");
        let bad = SpecFile {
            path: "own".into(),
            content: Err("no devices".to_owned()),
        };
        for (directories, expected) in [
            (vec![vec![own()]], None),
            (vec![vec![own()], vec![file("high", "other", "/dev/cxi0")]], None),
            (vec![vec![own()], vec![file("high", "nic", "/dev/cxi0")]], None),
            (vec![vec![file("low", "nic", "/dev/cxi9")], vec![own()]], None),
            (
                vec![vec![own()], vec![file("high", "nic", "/dev/cxi1")]],
                Some("high wins over"),
            ),
            (
                vec![vec![own(), file("copy", "nic", "/dev/cxi0")]],
                Some("own and copy have it"),
            ),
            // A conflict below takes the name from all.
            (
                vec![
                    vec![file("a", "nic", "/dev/cxi0"), file("b", "nic", "/dev/cxi0")],
                    vec![own()],
                ],
                Some("a and b have it"),
            ),
            (vec![vec![file("own", "nic", "/dev/cxi4")]], Some("own still says what")),
            (
                vec![vec![file("own", "other", "/dev/cxi0")]],
                Some("own does not have it"),
            ),
            (vec![vec![bad]], Some("runtimes refuse own: no devices")),
            (vec![vec![]], Some("own is not there")),
            // Ours is gone, and another has the name as it is.
            (vec![vec![file("low", "nic", "/dev/cxi0")], vec![]], None),
        ] {
            let unresolved = unresolved(&directories, Path::new("own"), &spec());
            match expected {
                None => assert!(unresolved.is_empty(), "{directories:?}: {unresolved:?}"),
                Some(reason) => assert!(unresolved["nic"].contains(reason), "{directories:?}: {unresolved:?}"),
            }
        }
    }
}
