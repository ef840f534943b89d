//! What the running isolation says of itself to others: `status.json` in its directory.

use serde::{Deserialize, Serialize};

use super::pod::Sandbox;

/// Where it keeps its state.
pub const RUN_DIR: &str = "/run/cxi-isolation";
/// The file, in its directory.
pub const FILE: &str = "status.json";
/// Beside it while a runtime is connected: whoever waits for that alone is not woken by each pod.
pub const CONNECTED: &str = "connected";
/// Of the file's form.
pub const SCHEMA: u32 = 1;

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The file's form.
    pub schema: u32,
    /// The process that has written it.
    pub pid: i32,
    /// Whether the container runtime asks it now.
    pub connected: bool,
    /// The runtime by its own word, such as `containerd 2.4.2`; empty before the first one.
    pub runtime: String,
    /// Why it is not connected.
    pub reason: String,
    /// The services, by NIC.
    pub nics: Vec<NicRecord>,
}

/// The services on one NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicRecord {
    /// Which NIC.
    pub address: String,
    /// Its services.
    pub services: Vec<PodService>,
}

/// The service of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodService {
    /// Its number; none where it is not made, or not known for certain.
    pub service: Option<u32>,
    /// For whom.
    pub sandbox: Sandbox,
    /// Its VNI.
    pub vni: u16,
    /// Inode of its network namespace.
    pub netns: u32,
    /// Where the runtime keeps that.
    pub path: String,
    /// Ready, ending (in use though the pod is gone), or unclear.
    pub state: String,
}
