//! The parts of a CDI spec that we write, in the order of the CDI specification.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Lowest version that carries what we write: host paths of device nodes and names that begin with a digit need 0.5.0.
pub const CDI_VERSION: &str = "0.5.0";

/// A CDI spec file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Version of the CDI specification that a reader must know.
    pub cdi_version: String,
    /// Vendor and class.
    pub kind: String,
    /// The devices; at least one.
    pub devices: Vec<CdiDevice>,
    /// Made once for a container that asks for any of the devices.
    #[serde(default, skip_serializing_if = "ContainerEdits::is_empty")]
    pub container_edits: ContainerEdits,
}

/// A named device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CdiDevice {
    /// Unique within the kind.
    pub name: String,
    /// Must not be empty, or readers refuse the spec.
    pub container_edits: ContainerEdits,
}

/// Changes to a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerEdits {
    /// `KEY=VALUE`; the last of one key wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Device nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_nodes: Vec<CdiDeviceNode>,
    /// Bind mounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
}

impl ContainerEdits {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.device_nodes.is_empty() && self.mounts.is_empty()
    }

    /// Makes the changes of another, too.
    pub fn extend(&mut self, other: &Self) {
        self.env.extend_from_slice(&other.env);
        self.device_nodes.extend_from_slice(&other.device_nodes);
        self.mounts.extend_from_slice(&other.mounts);
    }
}

/// A device node. Without numbers: they are dynamic, and the runtime reads them when it creates the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CdiDeviceNode {
    /// In the container.
    pub path: String,
    /// On the host.
    pub host_path: String,
}

/// A bind mount. Without a type: runtimes take the bind from the options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// On the host.
    pub host_path: String,
    /// In the container.
    pub container_path: String,
    /// Mount options.
    pub options: Vec<String>,
}

impl Mount {
    /// A bind that a container can only read; none where a path is not UTF-8, for CDI is text.
    pub fn read_only(host_path: &Path, container_path: &Path) -> Option<Self> {
        Some(Self {
            host_path: host_path.to_str()?.to_owned(),
            container_path: container_path.to_str()?.to_owned(),
            options: ["ro", "nosuid", "nodev", "rbind", "rprivate"].map(str::to_owned).into(),
        })
    }

    /// The same for a part of sysfs. The host's is mounted nosuid, nodev and noexec, and in a user namespace of its own a
    /// runtime may not make a bind that lacks one of these (`mount_namespaces(7)`, locked flags).
    pub fn of_sysfs(host_path: &Path, container_path: &Path) -> Option<Self> {
        let mut mount = Self::read_only(host_path, container_path)?;
        mount.options.insert(3, "noexec".to_owned());
        Some(mount)
    }
}
