//! Which of our devices a runtime would find on disk by the names that pods are given. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::{CdiDevice, Spec};
use super::survey::{HostDevices, NameState, SpecFile, SurveyedName, survey};

/// Why a runtime does not find a device as we have it, by the device's name.
pub type Unresolved = BTreeMap<String, String>;

/// Our file.
#[derive(Debug, Clone, Copy)]
pub struct OwnFile<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What it says, as far as it is a spec such as we write.
    pub says: Option<&'a Spec>,
}

/// Each of our devices that a runtime does not find, or not as it is: gone from our file or other there; in conflict; or told
/// otherwise by a file that wins. A foreign file that gives the same device nodes is as good as ours.
pub fn unresolved(directories: &[Vec<SpecFile>], own: OwnFile<'_>, spec: &Spec) -> Unresolved {
    let mut found: BTreeMap<&str, Vec<&SurveyedName>> = BTreeMap::new();
    let names = survey(directories, &HostDevices::default());
    for entry in &names {
        found.entry(&entry.name).or_default().push(entry);
    }
    let said = own.says.iter().flat_map(|says| &says.devices);
    let said: BTreeMap<&str, &CdiDevice> = said.map(|device| (device.name.as_str(), device)).collect();
    let reasons = spec.devices.iter().filter_map(|device| {
        let entries = found.get(device.name.as_str()).map_or(&[][..], Vec::as_slice);
        let is_said = said.get(device.name.as_str()) == Some(&device);
        let reason = match found_in(entries) {
            Found::Nowhere => absence(directories, own.path),
            Found::InConflict(files) => format!("no runtime resolves its CDI name: {} have it", both(files)),
            Found::In(winner) if winner.file == own.path && is_said => return None,
            Found::In(winner) if winner.file == own.path => {
                format!(
                    "{} says something else of this NIC and cannot be corrected",
                    own.path.display()
                )
            }
            Found::In(winner) if has_nodes(winner, device) => return None,
            Found::In(winner) => format!(
                "{} wins over our CDI file and gives another device by its name",
                winner.file.display()
            ),
        };
        Some((device.name.clone(), reason))
    });
    reasons.collect()
}

/// What readers make of a name.
enum Found<'a> {
    Nowhere,
    InConflict(&'a [PathBuf]),
    In(&'a SurveyedName),
}

fn found_in<'a>(entries: &[&'a SurveyedName]) -> Found<'a> {
    let conflict = entries.iter().find_map(|entry| match &entry.state {
        NameState::Conflict { files } => Some(files.as_slice()),
        _ => None,
    });
    let winner = entries.iter().find(|entry| entry.state == NameState::Resolved);
    match (conflict, winner) {
        (Some(files), _) => Found::InConflict(files),
        (None, Some(winner)) => Found::In(winner),
        (None, None) => Found::Nowhere,
    }
}

fn has_nodes(entry: &SurveyedName, device: &CdiDevice) -> bool {
    let nodes = device.container_edits.device_nodes.iter();
    let theirs = entry.nodes.iter().zip(&entry.container_nodes);
    nodes.map(|node| (&node.host_path, &node.path)).eq(theirs)
}

fn both(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    files.join(" and ")
}

/// Why no file has the name.
fn absence(directories: &[Vec<SpecFile>], own: &Path) -> String {
    let file = directories.iter().flatten().find(|file| file.path == own);
    match file.map(|file| &file.content) {
        None => format!("{} is not there, so no runtime finds this NIC", own.display()),
        Some(Err(reason)) => format!("runtimes refuse {}: {reason}", own.display()),
        Some(Ok(_)) => format!("{} does not have it", own.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cdi::KIND;
    use crate::model::cdi::model::{CDI_VERSION, CdiDeviceNode, ContainerEdits};
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
                    container_nodes: vec![node.to_owned()],
                }],
            }),
        }
    }

    #[test]
    fn a_name_is_judged_as_a_runtime_resolves_it() {
        let spec = spec();
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
            (
                vec![vec![file("own", "nic", "/dev/cxi4")]],
                Some("own says something else"),
            ),
            (
                vec![vec![file("own", "other", "/dev/cxi0")]],
                Some("own does not have it"),
            ),
            (vec![vec![bad]], Some("runtimes refuse own: no devices")),
            (vec![vec![]], Some("own is not there")),
            // Ours is gone, and another has the name as it is.
            (vec![vec![file("low", "nic", "/dev/cxi0")], vec![]], None),
        ] {
            let own = directories.iter().flatten().find(|file| file.path == Path::new("own"));
            let is_as_it_was = own.is_some_and(|file| file.content.as_ref() == Ok(&Offered::from(&spec)));
            let own = OwnFile {
                path: Path::new("own"),
                says: is_as_it_was.then_some(&spec),
            };
            let unresolved = unresolved(&directories, own, &spec);
            match expected {
                None => assert!(unresolved.is_empty(), "{directories:?}: {unresolved:?}"),
                Some(reason) => assert!(unresolved["nic"].contains(reason), "{directories:?}: {unresolved:?}"),
            }
        }
    }
}
