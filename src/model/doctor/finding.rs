//! What can be found on a node, under names that stay: scripts and runbooks go by them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::health::Check;
pub use crate::model::health::Evidence;
use crate::model::reading::ReadError;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work.
    Problem,
    /// Something will not work for some pods, or not after the next boot.
    Warning,
    /// Worth knowing; no fault of this node.
    Note,
}

/// Makes the enum, its names and the list of all of them from one table.
macro_rules! finding_ids {
    ($($(#[doc = $doc:literal])* $id:ident = $name:literal,)*) => {
        /// What was found. Its name never gets another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FindingId {
            /// A condition of a NIC that warns or fails, as `explain` and the daemon word it.
            Condition(Check),
            $($(#[doc = $doc])* $id,)*
        }

        impl FindingId {
            /// All that are no condition of a NIC.
            pub const OWN: &[Self] = &[$(Self::$id,)*];
        }

        impl fmt::Display for FindingId {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Condition(check) => write!(f, "condition-{check}"),
                    $(Self::$id => f.write_str($name),)*
                }
            }
        }
    };
}

finding_ids! {
    /// No Cassini PCI function at all.
    NoNics = "no-nics",
    /// A module of the driver is not loaded.
    DriverModuleMissing = "driver-module-missing",
    /// The driver goes by its former name.
    DriverOld = "driver-old",
    /// The driver leaves each NIC's default service off.
    DefaultServiceOff = "default-service-off",
    /// The default service of a NIC is on, so that everybody may use the fabric.
    DefaultServiceOpen = "default-service-open",
    /// The end of a CXI service has been refused for too long.
    ServiceLingering = "service-lingering",
    /// Classes, PCI functions and links in sysfs contradict each other.
    SysfsInconsistent = "sysfs-inconsistent",
    /// No driver is bound to a NIC.
    NicUnbound = "nic-unbound",
    /// A driver that is not ours is bound to a NIC.
    NicForeignDriver = "nic-foreign-driver",
    /// Class `cxi_user` does not list a NIC.
    NicNotInClass = "nic-not-in-class",
    /// A NIC has no usable device node.
    NicNoNode = "nic-no-node",
    /// A NIC has no netdev in the host's network namespace.
    NicNoNetdev = "nic-no-netdev",
    /// The firmware names no NUMA node for a NIC.
    NicNumaUnknown = "nic-numa-unknown",
    /// A NIC has counted PCIe errors before anybody looked.
    PcieErrorsEarlier = "pcie-errors-earlier",
    /// VFs are there and not offered.
    VfNotOffered = "vf-not-offered",
    /// Kubelet says that several pods hold a NIC.
    NicHeldTwice = "nic-held-twice",
    /// A pod holds a NIC that is not on the node.
    NicHeldAndGone = "nic-held-and-gone",
    /// A container of a pod has the device node of a NIC that it was not given.
    NicNotGiven = "nic-not-given",
    /// A container of a pod has no device node of a NIC that it was given.
    NicGivenAndMissing = "nic-given-and-missing",
    /// Multus is configured; what its networks take is not to be seen here.
    MultusConfigured = "multus-configured",
    /// The host uses a netdev that the host-device CNI would take away.
    NetdevUsedByHost = "netdev-used-by-host",
    /// libfabric or libcxi is not there.
    LibraryMissing = "library-missing",
    /// A library that libfabric or libcxi needs is not there.
    LibraryNeedMissing = "library-need-missing",
    /// A file that should be a library is none.
    LibraryUnusable = "library-unusable",
    /// A library that not everybody may read.
    LibraryNotReadable = "library-not-readable",
    /// A library of the same name as one that containers get.
    LibraryPassedOver = "library-passed-over",
    /// Usable NICs have no name in any CDI spec.
    CdiNameMissing = "cdi-name-missing",
    /// Two files of one CDI directory have the same names.
    CdiConflict = "cdi-conflict",
    /// Names of a CDI spec lead to what is gone, or to another NIC.
    CdiStale = "cdi-stale",
    /// Readers of CDI refuse a file.
    CdiInvalidFile = "cdi-invalid-file",
    /// A static spec of ours beside the daemon's.
    CdiStaticBesideDaemon = "cdi-static-beside-daemon",
    /// A spec that not everybody may read.
    CdiNotReadable = "cdi-not-readable",
    /// A CDI directory that CRI-O wants is not there.
    CdiDirectoryMissing = "cdi-directory-missing",
    /// The runtime drops CDI names.
    RuntimeCdiOff = "runtime-cdi-off",
    /// The site insists on CDI names, and the runtime drops them.
    StrategyNotHonoured = "strategy-not-honoured",
    /// The site has no CDI names given, although the runtime honours them.
    StrategyDirect = "strategy-direct",
    /// The runtime reads CDI specs elsewhere.
    RuntimeCdiDirs = "runtime-cdi-dirs",
    /// Containers may lock too little memory.
    RuntimeMemlock = "runtime-memlock",
    /// Kubelet runs, and its socket is elsewhere.
    KubeletSocketMissing = "kubelet-socket-missing",
    /// The daemon is not registered with kubelet.
    KubeletNotRegistered = "kubelet-not-registered",
    /// Another plugin serves the same resource.
    KubeletOtherPlugin = "kubelet-other-plugin",
    /// The daemon refuses its configuration.
    ConfigurationInvalid = "configuration-invalid",
    /// Kubelet is there, the daemon is not installed.
    UnitMissing = "unit-missing",
    /// The unit's sandbox keeps the daemon from a place that it is told of.
    UnitSandbox = "unit-sandbox",
    /// The unit will not start at the next boot.
    UnitNotEnabled = "unit-not-enabled",
    /// The unit is enabled, and nothing runs.
    DaemonNotRunning = "daemon-not-running",
    /// The daemon does not hear of some changes.
    EventSourceLost = "event-source-lost",
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something an admin should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub id: FindingId,
    /// How bad.
    pub level: Level,
    /// About which NIC, file or program.
    pub subject: String,
    /// In a sentence.
    pub what: String,
    /// What was read.
    pub evidence: Vec<Evidence>,
    /// What to do or to type.
    pub remedy: String,
}

/// What could not be read: no finding, and no proof of the contrary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// What would have been known.
    pub subject: String,
    /// Why it is not.
    pub reason: String,
}

/// What came of all rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// The worst first.
    pub findings: Vec<Finding>,
    /// In the order of the rules.
    pub unknown: Vec<Unknown>,
}

impl Examination {
    /// Adds a finding.
    pub fn found(
        &mut self,
        (id, level): (FindingId, Level),
        subject: impl fmt::Display,
        what: impl fmt::Display,
        evidence: Vec<Evidence>,
        remedy: impl fmt::Display,
    ) {
        self.findings.push(Finding {
            id,
            level,
            subject: subject.to_string(),
            what: what.to_string(),
            evidence,
            remedy: remedy.to_string(),
        });
    }

    /// Adds something unknown.
    pub fn unknown(&mut self, subject: impl fmt::Display, reason: impl fmt::Display) {
        self.unknown.push(Unknown {
            subject: subject.to_string(),
            reason: reason.to_string(),
        });
    }

    /// The value, or none with a word about why.
    pub fn known<'a, T>(&mut self, subject: impl fmt::Display, reading: &'a Result<T, ReadError>) -> Option<&'a T> {
        reading
            .as_ref()
            .inspect_err(|read_error| self.unknown(subject, read_error))
            .ok()
    }

    /// Whether an admin should do something.
    pub fn needs_action(&self) -> bool {
        self.findings.iter().any(|finding| finding.level < Level::Note)
    }

    /// How many findings of this level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}
