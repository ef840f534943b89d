//! What a spec file of any author offers, or why readers of CDI refuse it. The rules are those of the CDI specification
//! and of the library that runtimes use (`pkg/cdi`, `pkg/parser`), which reads strictly and drops a bad file as a whole.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use thiserror::Error;

use super::keys;
use super::model::Spec;

/// Versions that the newest library knows.
const VERSIONS: [&str; 10] = [
    "0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0",
];

/// What a spec file offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Vendor and class.
    pub kind: String,
    /// In the order of the file.
    pub devices: Vec<OfferedDevice>,
}

/// A device of a spec file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedDevice {
    /// Unique within the file.
    pub name: String,
    /// Its device nodes on the host.
    pub nodes: Vec<String>,
    /// The same as containers have them.
    pub container_nodes: Vec<String>,
}

/// Why readers drop a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Neither YAML nor JSON of a spec.
    #[error("no CDI spec: {0}")]
    Text(String),
    /// A version that no reader knows.
    #[error("unknown cdiVersion {0:?}")]
    Version(String),
    /// No vendor, no class, or characters that names must not have.
    #[error("kind {0:?} is not of the form vendor.com/class")]
    Kind(String),
    /// Readers insist on one.
    #[error("no devices")]
    NoDevices,
    /// Characters that names must not have.
    #[error("device name {0:?} is not allowed")]
    Name(String),
    /// Twice in one file.
    #[error("device {0:?} is there twice")]
    Twice(String),
    /// A device that changes nothing.
    #[error("device {0:?} has no containerEdits")]
    NoEdits(String),
}

/// Reads a spec; JSON is read as the YAML it is, as the CDI library does.
pub fn read(text: &str) -> Result<Offered, Invalid> {
    let (value, unknown) = parsed(text)?;
    if let Some(place) = unknown {
        return Err(Invalid::Text(format!(
            "a field of {place} that the specification does not have"
        )));
    }
    let file: SpecText = typed(value)?;
    if !VERSIONS.contains(&file.cdi_version.trim_start_matches('v')) {
        return Err(Invalid::Version(file.cdi_version));
    }
    if !is_kind(&file.kind) {
        return Err(Invalid::Kind(file.kind));
    }
    let devices = file.devices.unwrap_or_default();
    if devices.is_empty() {
        return Err(Invalid::NoDevices);
    }
    let mut names = BTreeSet::new();
    for device in &devices {
        if !is_device_name(&device.name) {
            return Err(Invalid::Name(device.name.clone()));
        }
        if !names.insert(device.name.as_str()) {
            return Err(Invalid::Twice(device.name.clone()));
        }
        if device.container_edits.as_ref().is_none_or(EditsText::is_empty) {
            return Err(Invalid::NoEdits(device.name.clone()));
        }
    }
    Ok(Offered {
        kind: file.kind,
        devices: devices.into_iter().map(DeviceText::offered).collect(),
    })
}

/// The kind and the names in a file that some reader may take, though not each: a newer one may know its version and its
/// keys. None where there are no such things.
pub fn names(text: &str) -> Option<(String, Vec<String>)> {
    let file: NamesText = typed(parsed(text).ok()?.0).ok()?;
    let names = file.devices.into_iter().map(|device| device.name);
    Some((file.kind, names.collect()))
}

/// The kind in a file, whatever else is in it; none where it says none.
pub fn kind(text: &str) -> Option<String> {
    Some(parsed(text).ok()?.0.get("kind")?.as_str()?.to_owned())
}

fn parsed(text: &str) -> Result<(Value, Option<&'static str>), Invalid> {
    let value = serde_saphyr::from_str(text).map_err(|error| Invalid::Text(first_line(&error)))?;
    Ok(keys::canonical(value))
}

/// What is wrong is said without the value, which may be private.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Invalid> {
    serde_json::from_value(value).map_err(|error| {
        let missing = first_line(&error);
        let is_missing = missing.starts_with("missing field");
        Invalid::Text(if is_missing {
            missing
        } else {
            "a value of another type than the specification has".to_owned()
        })
    })
}

/// The parser adds a picture of the place in further lines.
fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn is_kind(kind: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.ends_with(|last: char| last.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    kind.split_once('/')
        .is_some_and(|(vendor, class)| is_name(vendor) && is_name(class))
}

fn is_device_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c))
}

/// Of any reader.
#[derive(Deserialize)]
struct NamesText {
    kind: String,
    devices: Vec<NameText>,
}

#[derive(Deserialize)]
struct NameText {
    name: String,
}

/// With the keys that `keys` has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpecText {
    cdi_version: String,
    kind: String,
    devices: Option<Vec<DeviceText>>,
    #[serde(rename = "annotations")]
    _annotations: Option<IgnoredAny>,
    #[serde(rename = "containerEdits")]
    _container_edits: Option<EditsText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceText {
    name: String,
    container_edits: Option<EditsText>,
    #[serde(rename = "annotations")]
    _annotations: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EditsText {
    device_nodes: Option<Vec<NodeText>>,
    env: Option<Vec<IgnoredAny>>,
    mounts: Option<Vec<IgnoredAny>>,
    hooks: Option<Vec<IgnoredAny>>,
    net_devices: Option<Vec<IgnoredAny>>,
    additional_gids: Option<Vec<IgnoredAny>>,
    intel_rdt: Option<IgnoredAny>,
}

/// Its further keys are numbers and rights, which nobody here asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeText {
    path: String,
    host_path: Option<String>,
}

impl From<&Spec> for Offered {
    /// What a spec of ours offers.
    fn from(spec: &Spec) -> Self {
        let devices = spec.devices.iter().map(|device| {
            let nodes = &device.container_edits.device_nodes;
            OfferedDevice {
                name: device.name.clone(),
                nodes: nodes.iter().map(|node| node.host_path.clone()).collect(),
                container_nodes: nodes.iter().map(|node| node.path.clone()).collect(),
            }
        });
        Self {
            kind: spec.kind.clone(),
            devices: devices.collect(),
        }
    }
}

impl EditsText {
    fn is_empty(&self) -> bool {
        let lists = [
            &self.env,
            &self.mounts,
            &self.hooks,
            &self.net_devices,
            &self.additional_gids,
        ];
        let no_nodes = self.device_nodes.as_ref().is_none_or(Vec::is_empty);
        no_nodes && self.intel_rdt.is_none() && lists.iter().all(|list| list.as_ref().is_none_or(Vec::is_empty))
    }
}

impl DeviceText {
    fn offered(self) -> OfferedDevice {
        let nodes = self.container_edits.and_then(|edits| edits.device_nodes);
        let nodes = nodes.unwrap_or_default();
        OfferedDevice {
            name: self.name,
            container_nodes: nodes.iter().map(|node| node.path.clone()).collect(),
            nodes: nodes
                .into_iter()
                .map(|node| node.host_path.unwrap_or(node.path))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(device: &str) -> String {
        format!("cdiVersion: 0.6.0\nkind: hpe.com/cxi\ndevices:\n{device}")
    }

    #[test]
    fn every_part_that_the_specification_has_is_known() {
        let text = with(
            "- name: a\n  annotations: {x: y}\n  containerEdits:\n    env: [A=B]\n    hooks: [{hookName: prestart, path: /x}]\n    \
             netDevices: [{hostInterfaceName: a, name: b}]\n    additionalGids: [1]\n    intelRdt: {schemata: x}\n    \
             mounts: [{hostPath: /a, containerPath: /b}]\n    deviceNodes: [{path: /dev/a, major: 1, permissions: rw}]\n\
             - name: b\n  containerEdits: {deviceNodes: [{path: /dev/b, hostPath: /host/b}]}\n",
        );
        let nodes: Vec<Vec<String>> = read(&text)
            .unwrap()
            .devices
            .into_iter()
            .map(|device| device.nodes)
            .collect();
        assert_eq!(nodes, [["/dev/a"], ["/host/b"]]);
    }

    #[test]
    fn keys_are_read_as_the_readers_in_go_do() {
        let text = "CDIVersion: 0.6.0\nKind: hpe.com/cxi\nDEVICES: [{Name: 0, containeredits: {deviceNodes: [{Path: /dev/a}]}}]\n";
        let offered = read(text).unwrap();
        assert_eq!(
            (offered.kind.as_str(), offered.devices[0].name.as_str()),
            ("hpe.com/cxi", "0")
        );
        assert_eq!(offered.devices[0].nodes, ["/dev/a"]);
        let newer = text.replace("0.6.0", "9.0.0").replace("Path", "newKey");
        assert_eq!(names(&newer), Some(("hpe.com/cxi".to_owned(), vec!["0".to_owned()])));
    }

    #[test]
    fn what_readers_refuse_is_refused_with_its_reason() {
        let edits = "containerEdits: {env: [A=B]}";
        let cases = [
            (with(""), "no devices"),
            (
                with(&format!("- {{name: -a, {edits}}}")),
                "device name \"-a\" is not allowed",
            ),
            (
                with("- {name: a, containerEdits: {}}"),
                "device \"a\" has no containerEdits",
            ),
            (with("- {name: a}"), "device \"a\" has no containerEdits"),
            (
                with(&format!("- {{name: a, {edits}}}\n- {{name: a, {edits}}}")),
                "device \"a\" is there twice",
            ),
            (
                with(&format!("- {{name: a, {edits}}}")).replace("0.6.0", "9.0.0"),
                "unknown cdiVersion \"9.0.0\"",
            ),
            (
                with(&format!("- {{name: a, {edits}}}")).replace("hpe.com/", ""),
                "kind \"cxi\" is not of the form vendor.com/class",
            ),
        ];
        for (text, reason) in cases {
            assert_eq!(read(&text).unwrap_err().to_string(), reason, "{text}");
        }
        for text in [
            "",
            "[]",
            "kind: a/b",
            &with("- {name: a, containerEdits: {deviceNode: []}}"),
            "\0",
        ] {
            let reason = read(text).unwrap_err().to_string();
            assert!(
                reason.starts_with("no CDI spec: ") && !reason.contains('\n'),
                "{text}: {reason}"
            );
        }
    }
}
