//! A pod as the container runtime tells of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One sandbox of a pod: a pod that is made anew has another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sandbox {
    /// The runtime's name of it, which is never used again.
    pub id: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.pod)
    }
}

/// A pod, with what decides about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Which.
    pub sandbox: Sandbox,
    /// Where its network namespace is; none where it has the host's, or where it has been torn down.
    pub netns: Option<String>,
    /// The VNI that it asks for.
    pub vni: Option<String>,
}
