//! What kubelet says of pods, as far as it is about devices.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::model::nic::pci::PciAddress;

/// A pod. Kubelet tells no more of it than its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PodName {
    /// Namespace.
    pub namespace: String,
    /// Name in the namespace.
    pub pod: String,
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.pod)
    }
}

/// A pod of kubelet's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPod {
    /// Which.
    pub name: PodName,
    /// Its containers; of init containers those that kubelet chooses to show.
    pub containers: Vec<ListedContainer>,
}

/// A container of such a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedContainer {
    /// Its name.
    pub name: String,
    /// Resource and device IDs. A resource may be there several times: once for each NUMA node.
    pub devices: Vec<(String, Vec<String>)>,
    /// Claim, as `NAMESPACE/NAME`, and the CDI names that its driver gave for it.
    pub claims: Vec<(String, Vec<String>)>,
}

/// Why it is not known who holds what, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unlisted {
    /// Kubelet is not here, or is told to have none.
    #[error("no socket")]
    NoSocket,
    /// Kubelet is down.
    #[error("nobody listens")]
    NobodyListens,
    /// It is for root.
    #[error("only root may ask")]
    NotAllowed,
    /// It hangs, or is slow.
    #[error("no answer in time")]
    NoAnswer,
    /// Others ask too much.
    #[error("too many ask")]
    TooMany,
    /// It is not kubelet, or an old one.
    #[error("no such service")]
    NoService,
    /// Beyond what kubelet's own clients take.
    #[error("too large an answer")]
    TooLarge,
    /// It makes no sense.
    #[error("no sensible answer")]
    Senseless,
    /// Something else: the system's words.
    #[error("{0}")]
    Failed(String),
}

/// What kubelet says of one pod when it is asked for it by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is there, and holds these.
    Holds(Vec<PciAddress>),
    /// It is not there any more.
    Gone,
    /// Kubelet does not say: before 1.34 it takes no such question.
    Unsaid,
}
