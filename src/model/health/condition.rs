//! What is checked of a NIC, and how a check came out: verdict, reason, and what was read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be, or ignored by the policy.
    Ok,
    /// Not readable, or not applicable.
    Unknown,
    /// Worth an admin's look; the NIC stays healthy.
    Warn,
    /// The NIC must not get new pods.
    Fail,
}

impl Verdict {
    /// Whether an admin should look at it.
    pub fn is_bad(self) -> bool {
        self >= Self::Warn
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The PCI function is bound, its classes are there and the device node belongs to it.
    Present,
    /// What there is to know of the NIC can be read.
    Readable,
    /// The PCI function is enabled and answers.
    PciEnabled,
    /// No admin has taken the NIC out of use.
    Cordoned,
    /// The fabric link runs.
    Link,
    /// A retry handler serves the NIC, and has done so without a break.
    RetryHandler,
    /// The NIC has its fabric address.
    FabricAddress,
    /// The netdev is up, by libfabric's test.
    NetdevUp,
    /// There is a CXI service that a pod could use.
    CxiService,
    /// The NIC has resources left.
    Resources,
    /// No PCIe error that the link could not correct.
    PcieErrors,
    /// The fabric link keeps up.
    LinkFlaps,
    /// The PCIe link has the speed and width it could have.
    PcieLink,
    /// The fabric link has the speed of its card.
    LinkSpeed,
    /// The CDI file on disk names the NIC as it is.
    CdiFile,
    /// The link by the NIC's PCI address leads to its device node.
    DeviceLink,
}

impl Check {
    /// Every check that a policy can set, in the order in which conditions are listed. The CDI file and the link are none of
    /// them: they are about what we write, not about the NIC.
    pub const OF_NIC: [Self; 14] = [
        Self::Present,
        Self::Readable,
        Self::PciEnabled,
        Self::Cordoned,
        Self::Link,
        Self::RetryHandler,
        Self::FabricAddress,
        Self::NetdevUp,
        Self::CxiService,
        Self::Resources,
        Self::PcieErrors,
        Self::LinkFlaps,
        Self::PcieLink,
        Self::LinkSpeed,
    ];

    /// Its name in logs, in the configuration and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Readable => "readable",
            Self::PciEnabled => "pci-enabled",
            Self::Cordoned => "cordoned",
            Self::Link => "link",
            Self::RetryHandler => "retry-handler",
            Self::FabricAddress => "fabric-address",
            Self::NetdevUp => "netdev-up",
            Self::CxiService => "cxi-service",
            Self::Resources => "resources",
            Self::PcieErrors => "pcie-errors",
            Self::LinkFlaps => "link-flaps",
            Self::PcieLink => "pcie-link",
            Self::LinkSpeed => "link-speed",
            Self::CdiFile => "cdi-file",
            Self::DeviceLink => "device-link",
        }
    }

    /// Whether bad news of it waits for its hold time. What an admin or the driver has done does not.
    pub const fn bad_news_waits(self) -> bool {
        !matches!(
            self,
            Self::Present | Self::PciEnabled | Self::Cordoned | Self::CdiFile | Self::DeviceLink
        )
    }

    /// Whether good news of it waits for its hold time: all does that may turn bad again by itself.
    pub const fn good_news_waits(self) -> bool {
        !matches!(self, Self::Cordoned | Self::CdiFile | Self::DeviceLink)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where, as seen on the host.
    pub path: PathBuf,
    /// What was there.
    pub value: String,
}

impl Evidence {
    /// `value` at `path`.
    pub fn new(path: impl Into<PathBuf>, value: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            value: value.to_string(),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path.display(), self.value)
    }
}

/// One check's outcome with its reason and evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What was checked.
    pub check: Check,
    /// How it came out.
    pub verdict: Verdict,
    /// Why, for an admin. Of an unknown one: what could not be read, or why it does not apply.
    pub reason: String,
    /// What was read. Empty where nothing could be.
    pub evidence: Vec<Evidence>,
}

/// How the reason of a consequence begins.
const FOLLOWS: &str = "follows from";

impl Condition {
    /// Makes it one that says nothing of its own, since it comes of another one.
    pub(super) fn follow(&mut self, cause: Check) {
        self.verdict = Verdict::Unknown;
        self.reason = follows(cause, &self.reason);
    }

    /// Whether it says nothing of its own.
    pub fn is_consequence(&self) -> bool {
        self.verdict == Verdict::Unknown && self.reason.starts_with(FOLLOWS)
    }

    /// The reason with what was read.
    pub fn text(&self) -> String {
        let evidence: Vec<String> = self.evidence.iter().map(ToString::to_string).collect();
        match evidence.as_slice() {
            [] => self.reason.clone(),
            read => format!("{} ({})", self.reason, read.join(", ")),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.text())
    }
}

/// The reason of a condition that comes of another one.
pub(super) fn follows(cause: Check, reason: &str) -> String {
    format!("{FOLLOWS} {cause}: {reason}")
}

/// A condition that has changed and is not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As it was read last.
    pub condition: Condition,
    /// When it will be published if it stays so; on the clock that the caller goes by.
    pub until: Duration,
}

/// Whether none of the conditions fails.
pub fn is_healthy(conditions: &[Condition]) -> bool {
    conditions.iter().all(|condition| condition.verdict != Verdict::Fail)
}
