//! The strictness checks: what the strictest kubelet, or its next version, could object to. Pure functions from a message
//! to the [`Violation`]s in it. None of them stops the plugin from working with a kubelet of today.

use std::fmt;

use serde::Serialize;

pub mod answer;
pub mod list;
pub mod registration;

/// The rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The endpoint is not a plain, visible file name that fits into a socket address.
    EndpointName,
    /// The endpoint does not exist, or is not a socket, when Register arrives.
    SocketMissing,
    /// The endpoint's socket is open to others than its owner.
    SocketMode,
    /// The endpoint did not answer while kubelet dialled it.
    NotServing,
    /// `RegisterRequest.options` are not those of GetDevicePluginOptions.
    OptionsDiffer,
    /// A second registration while a stream of the same resource is open: Race A of kubelet 1.25 to 1.36.
    DoubleRegistration,
    /// No message within the time after the stream was opened.
    FirstListLate,
    /// A message above gRPC-Go's default limit.
    MessageSize,
    /// A message that changes nothing; each one makes kubelet write its checkpoint.
    RepeatedList,
    /// A device ID that is empty or too long.
    DeviceId,
    /// One ID twice in a message.
    DuplicateId,
    /// A word other than `Healthy` and `Unhealthy`.
    HealthWord,
    /// A negative NUMA node; -1 is kubelet's own marker for "no topology".
    NumaNode,
    /// Some devices of a resource have topology and some have none.
    MixedTopology,
    /// Not one container response for each container request.
    ResponseCount,
    /// Preferred devices that were not offered, are named twice, or are not as many as asked for.
    PreferredDevices,
    /// Permissions of a device that are not a non-empty subset of `rwm`.
    Permissions,
    /// A device path that is not absolute.
    DevicePath,
    /// Two devices at one path of the container.
    DuplicatePath,
    /// A mount whose paths are not absolute.
    MountPath,
    /// An environment name that cannot be set.
    EnvName,
    /// A CDI name that is not `vendor/class=name`.
    CdiName,
    /// CDI names and device nodes in one container's answer: the NIC would be given twice.
    CdiAndDevices,
}

/// One broken rule, with the words that say where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was seen.
    pub text: String,
}

impl Violation {
    pub(super) fn new(rule: Rule, text: impl Into<String>) -> Violation {
        Violation {
            rule,
            text: text.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)
    }
}

/// `text` once for each of `items` that is in there more than once.
fn repeated<'a>(items: impl Iterator<Item = &'a str>) -> std::collections::BTreeSet<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    items.filter(|item| !seen.insert(*item)).collect()
}

#[cfg(test)]
fn rules(violations: &[Violation]) -> Vec<Rule> {
    violations.iter().map(|violation| violation.rule).collect()
}
