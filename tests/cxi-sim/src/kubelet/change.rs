//! The steps of a scenario that are not kubelet's: what happens to the node, and to the daemon.
//!
//! ```yaml
//! nics: {a: c1, b: "c1,numa=1"}              # what the node has before; two c1 if left out
//! steps:
//!   - node: {add: {c: c2}}                   # also, for one NIC: remove, unbind, bind, rebind, link_down, link_up,
//!   - node: {rebind: a}                      #   stop_retry_handler, start_retry_handler, fatal_error
//!   - node: {open: a}                        # a program opens its device node and keeps it open
//!   - node: unload_driver                    # and load_driver
//!   - daemon: kill                           # also: terminate, start; it runs from the beginning
//!   - await_spec: {a: cxi2, b: cxi1}         # the CDI spec on disk: these NICs with these nodes, and no other
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::node::NicSpec;

/// What happens to the node. NICs go by the names that `nics` or `add` gave them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// NICs are plugged in, in the order of their names.
    Add(BTreeMap<String, NicSpec>),
    /// A NIC is unplugged.
    Remove(String),
    /// A NIC loses its driver.
    Unbind(String),
    /// A NIC gets its driver back.
    Bind(String),
    /// Both.
    Rebind(String),
    /// Every NIC loses its driver.
    UnloadDriver,
    /// Every NIC gets it back.
    LoadDriver,
    /// The fabric link goes down.
    LinkDown(String),
    /// The fabric link comes up.
    LinkUp(String),
    /// The retry handler dies.
    StopRetryHandler(String),
    /// There is a retry handler again.
    StartRetryHandler(String),
    /// The driver gives the NIC up.
    FatalError(String),
    /// A program opens the device node, until the scenario ends.
    Open(String),
}

/// What happens to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Daemon {
    /// It starts.
    Start,
    /// It is told to end, and does, with exit code 0.
    Terminate,
    /// It dies by SIGKILL.
    Kill,
}

/// NICs of the CDI spec on disk, each with the name of its device node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Spec(pub BTreeMap<String, String>);

impl Change {
    /// Whether a kernel says nothing of it: nobody hears of a retry handler.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::StopRetryHandler(_) | Self::StartRetryHandler(_))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(nics) => write!(f, "add {}", pairs(nics)),
            Self::Remove(name) => write!(f, "remove {name}"),
            Self::Unbind(name) => write!(f, "unbind {name}"),
            Self::Bind(name) => write!(f, "bind {name}"),
            Self::Rebind(name) => write!(f, "rebind {name}"),
            Self::UnloadDriver => f.write_str("unload_driver"),
            Self::LoadDriver => f.write_str("load_driver"),
            Self::LinkDown(name) => write!(f, "link_down {name}"),
            Self::LinkUp(name) => write!(f, "link_up {name}"),
            Self::StopRetryHandler(name) => write!(f, "stop_retry_handler {name}"),
            Self::StartRetryHandler(name) => write!(f, "start_retry_handler {name}"),
            Self::FatalError(name) => write!(f, "fatal_error {name}"),
            Self::Open(name) => write!(f, "open {name}"),
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Terminate => "terminate",
            Self::Kill => "kill",
        })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&pairs(&self.0))
    }
}

fn pairs(map: &BTreeMap<String, impl fmt::Display>) -> String {
    let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    pairs.join(", ")
}
