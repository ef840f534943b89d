//! Scenario files: what kubelet does and what must come of it, step by step, in YAML.
//!
//! ```yaml
//! resource: beta.hpe.com/cxi
//! steps:
//!   - start                                  # also: stop, shutdown, restart, forget
//!   - await: {healthy: 2, unhealthy: [], numa: {id: [0]}, within: 10s}
//!   - allocate: {pod: a, count: 2}           # or containers: [[id, id], [id]]; expect_error: part of its text
//!   - release: {pod: a}
//!   - expect_registrations: 1
//! ```
//!
//! What else may happen, to the node and to the daemon, is in [`super::change`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de::value::SeqAccessDeserializer};

use super::change::{Change, Daemon, Spec};
use super::devices::Device;
use crate::node::{Kind, NicSpec};

/// A scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The resource every step is about.
    pub resource: String,
    /// The NICs of the node by name, added in the order of their names. For a plugin that has its node already they are
    /// only a hint to the reader.
    #[serde(default = "two_nics")]
    pub nics: BTreeMap<String, NicSpec>,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Kubelet starts.
    Start,
    /// Kubelet dies and leaves its socket behind.
    Stop,
    /// Kubelet ends and removes its socket.
    Shutdown,
    /// Kubelet dies and starts again.
    Restart,
    /// Kubelet drops its connection to the plugin.
    Forget,
    /// The devices become as told.
    Await(Await),
    /// A pod is admitted.
    Allocate(Allocate),
    /// A pod is gone.
    Release(Release),
    /// So often the plugin has tried to register in this life of kubelet.
    ExpectRegistrations(usize),
    /// Something happens to the node.
    Node(Change),
    /// Something happens to the daemon.
    Daemon(Daemon),
    /// The CDI spec on disk becomes as told.
    AwaitSpec(Spec),
}

/// Devices to wait for. What is left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawAwait")]
pub struct Await {
    /// Those kubelet may hand out.
    pub healthy: Option<Devices>,
    /// The other ones listed.
    pub unhealthy: Option<Devices>,
    /// NUMA nodes of some of them, as the topology that kubelet was told.
    pub numa: BTreeMap<String, Vec<i64>>,
    /// How long it may take.
    pub within: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAwait {
    healthy: Option<Devices>,
    unhealthy: Option<Devices>,
    #[serde(default)]
    numa: BTreeMap<String, Vec<i64>>,
    #[serde(default = "ten_seconds", deserialize_with = "duration")]
    within: Duration,
}

impl TryFrom<RawAwait> for Await {
    type Error = &'static str;

    fn try_from(
        RawAwait {
            healthy,
            unhealthy,
            numa,
            within,
        }: RawAwait,
    ) -> Result<Await, &'static str> {
        if healthy.is_none() && unhealthy.is_none() && numa.is_empty() {
            return Err("await needs healthy, unhealthy, numa or several of them");
        }
        Ok(Await {
            healthy,
            unhealthy,
            numa,
            within,
        })
    }
}

impl Await {
    /// Whether the devices are as told.
    pub fn holds(&self, devices: &[Device]) -> bool {
        let fits = |wanted: &Option<Devices>, healthy: bool| {
            let ids: Vec<&str> = devices
                .iter()
                .filter(|d| d.is_healthy() == healthy)
                .map(|d| d.id.as_str())
                .collect();
            wanted.as_ref().is_none_or(|wanted| wanted.fits(&ids))
        };
        let at = |id: &String, nodes: &Vec<i64>| devices.iter().any(|d| d.id == *id && d.numa == *nodes);
        let numa = self.numa.iter().all(|(id, nodes)| at(id, nodes));
        fits(&self.healthy, true) && fits(&self.unhealthy, false) && numa
    }
}

/// A number of devices, or exactly these in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// So many, whichever.
    Count(usize),
    /// These IDs and no other.
    Ids(Vec<String>),
}

impl Devices {
    fn fits(&self, ids: &[&str]) -> bool {
        match self {
            Devices::Count(count) => ids.len() == *count,
            Devices::Ids(wanted) => wanted.len() == ids.len() && wanted.iter().all(|id| ids.contains(&id.as_str())),
        }
    }
}

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Devices, D::Error> {
        struct CountOrIds;
        impl<'de> Visitor<'de> for CountOrIds {
            type Value = Devices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of devices or a list of device IDs")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Devices, E> {
                usize::try_from(count).map(Devices::Count).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Devices, E> {
                usize::try_from(count).map(Devices::Count).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, ids: A) -> Result<Devices, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(ids)).map(Devices::Ids)
            }
        }
        deserializer.deserialize_any(CountOrIds)
    }
}

/// A pod that wants devices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawAllocate")]
pub struct Allocate {
    /// Its name in this scenario.
    pub pod: String,
    /// What it wants.
    pub want: Want,
    /// If the allocation must fail: a part of the error's text.
    pub expect_error: Option<String>,
}

/// What a pod wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// So many devices of kubelet's and the plugin's choice, in one container.
    Count(usize),
    /// These, by container, in one call.
    Containers(Vec<Vec<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllocate {
    pod: String,
    count: Option<usize>,
    containers: Option<Vec<Vec<String>>>,
    expect_error: Option<String>,
}

impl TryFrom<RawAllocate> for Allocate {
    type Error = &'static str;

    fn try_from(
        RawAllocate {
            pod,
            count,
            containers,
            expect_error,
        }: RawAllocate,
    ) -> Result<Allocate, &'static str> {
        let want = match (count, containers) {
            (Some(count), None) => Want::Count(count),
            (None, Some(containers)) => Want::Containers(containers),
            _ => return Err("allocate needs either count or containers"),
        };
        Ok(Allocate {
            pod,
            want,
            expect_error,
        })
    }
}

/// A pod whose devices are free again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The name that an `allocate` step gave.
    pub pod: String,
}

fn two_nics() -> BTreeMap<String, NicSpec> {
    ["a", "b"]
        .map(|name| (name.to_owned(), NicSpec::new(Kind::Cassini1)))
        .into()
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// A whole number with `ms`, `s` or `m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let parsed = digits.parse::<u64>().ok().and_then(|number| match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    });
    parsed.ok_or_else(|| {
        de::Error::custom(format!(
            "duration {text:?} is not a whole number with ms, s or m, such as 10s"
        ))
    })
}

/// Why a scenario could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// It is no scenario; the text names the line.
    #[error("{}: {text}", file.display())]
    Parse {
        /// The file.
        file: PathBuf,
        /// What is wrong, where, and what is allowed.
        text: String,
    },
}

impl Scenario {
    /// Reads a scenario file.
    pub fn from_file(file: &Path) -> Result<Scenario, ScenarioError> {
        let read = std::fs::read_to_string(file);
        let text = read.map_err(|source| ScenarioError::Read {
            file: file.to_owned(),
            source,
        })?;
        let parsed = serde_saphyr::from_str(&text);
        parsed.map_err(|error| ScenarioError::Parse {
            file: file.to_owned(),
            text: error.without_snippet().to_string(),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Start => f.write_str("start"),
            Step::Stop => f.write_str("stop"),
            Step::Shutdown => f.write_str("shutdown"),
            Step::Restart => f.write_str("restart"),
            Step::Forget => f.write_str("forget"),
            Step::Await(step) => write!(f, "await {step}"),
            Step::Allocate(Allocate {
                pod,
                want: Want::Count(count),
                ..
            }) => write!(f, "allocate {count} for pod {pod}"),
            Step::Allocate(Allocate {
                pod,
                want: Want::Containers(ids),
                ..
            }) => write!(f, "allocate {ids:?} for pod {pod}"),
            Step::Release(Release { pod }) => write!(f, "release pod {pod}"),
            Step::ExpectRegistrations(count) => write!(f, "expect_registrations {count}"),
            Step::Node(change) => write!(f, "node: {change}"),
            Step::Daemon(change) => write!(f, "daemon: {change}"),
            Step::AwaitSpec(spec) => write!(f, "await_spec {spec}"),
        }
    }
}

impl fmt::Display for Await {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str, devices: &Option<Devices>| {
            devices.as_ref().map(|devices| match devices {
                Devices::Count(count) => format!("{name} {count}"),
                Devices::Ids(ids) => format!("{name} [{}]", ids.join(", ")),
            })
        };
        let parts: Vec<String> = [part("healthy", &self.healthy), part("unhealthy", &self.unhealthy)]
            .into_iter()
            .flatten()
            .chain(self.numa.iter().map(|(id, nodes)| format!("{id} on NUMA {nodes:?}")))
            .collect();
        write!(f, "{} within {:?}", parts.join(", "), self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(steps: &str) -> Result<Vec<Step>, String> {
        let text = format!("resource: beta.hpe.com/cxi\nsteps:\n{steps}\n");
        serde_saphyr::from_str::<Scenario>(&text)
            .map(|scenario| scenario.steps)
            .map_err(|error| error.without_snippet().to_string())
    }

    #[test]
    fn every_step_can_be_written() {
        let steps = "  - start\n  - stop\n  - shutdown\n  - restart\n  - forget
  - await: {healthy: 2, unhealthy: [], within: 1500ms}
  - await: {healthy: ['0000:21:00.0', 0000:61:00.0]}
  - allocate: {pod: a, count: 2}
  - allocate: {pod: b, containers: [[x, y], [z]], expect_error: no such}
  - release: {pod: a}
  - expect_registrations: 1";
        let texts: Vec<String> = parse(steps).unwrap().iter().map(Step::to_string).collect();
        let expected = [
            "start",
            "stop",
            "shutdown",
            "restart",
            "forget",
            "await healthy 2, unhealthy [] within 1.5s",
            "await healthy [0000:21:00.0, 0000:61:00.0] within 10s",
            "allocate 2 for pod a",
            r#"allocate [["x", "y"], ["z"]] for pod b"#,
            "release pod a",
            "expect_registrations 1",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn an_error_names_the_line_and_what_is_allowed() {
        for (step, parts) in [
            ("  - pause", ["line 3", "expect_registrations"]),
            (
                "  - start\n  - await: {helthy: 1}",
                ["line 4", "healthy, unhealthy, numa, within"],
            ),
            (
                "  - await: {within: 5s}",
                ["line 3", "healthy, unhealthy, numa or several"],
            ),
            ("  - await: {healthy: many}", ["line 3", "a list of device IDs"]),
            ("  - await: {healthy: 1, within: 10}", ["line 3", "ms, s or m"]),
            ("  - allocate: {pod: a}", ["line 3", "count or containers"]),
            (
                "  - allocate: {pod: a, count: 1, containers: []}",
                ["line 3", "count or containers"],
            ),
            ("  - release: {pod: a, count: 1}", ["line 3", "expected one of pod"]),
        ] {
            let error = parse(step).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{step}: {error}");
        }
    }
}
