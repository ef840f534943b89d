//! All that the rules go by, as it was read. Types only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::process::SystemProcess;
use crate::model::cdi::survey::SpecFile;
use crate::model::container::PodContainers;
use crate::model::health::Evidence;
use crate::model::libs::choice::LibraryChoice;
use crate::model::nic::inventory::{Inventory, Library};
use crate::model::nic::selection::Selection;
use crate::model::pods::{Holdings, Unlisted};
use crate::model::reading::{ReadError, Reading};
use crate::model::runtime::places::RuntimeKind;
use crate::model::status::{KubeletState, Status};

/// A node as one look found it. Paths are those of the host.
#[derive(Debug)]
pub struct NodeFacts {
    /// The time of the look.
    pub unix_seconds: u64,
    /// What the site has decided about NICs.
    pub selection: Selection,
    /// What is wrong with our configuration.
    pub configuration_problems: Vec<Evidence>,
    /// The NICs; its libraries are empty, see `libraries`.
    pub inventory: Reading<Inventory>,
    /// Of the driver.
    pub driver: DriverFacts,
    /// Of libfabric and libcxi.
    pub libraries: LibraryFacts,
    /// Who else uses the netdevs.
    pub network: NetworkFacts,
    /// By rising priority.
    pub cdi: Vec<CdiDirectoryFacts>,
    /// Device nodes that specs name and the node does not have.
    pub missing_nodes: BTreeSet<String>,
    /// Those that are there.
    pub runtimes: Vec<Runtime>,
    /// Of kubelet.
    pub kubelet: KubeletFacts,
    /// Which pod holds what, by kubelet's word.
    pub pods: Result<Holdings, Unlisted>,
    /// The containers of pods.
    pub containers: PodContainers,
    /// Of our own daemon.
    pub daemon: DaemonFacts,
}

impl NodeFacts {
    /// Whether kubelet is here: by its socket, or by the word of our daemon, which may serve it elsewhere.
    pub fn has_kubelet(&self) -> bool {
        let is_registered = |status: &Status| status.kubelet == KubeletState::Registered;
        self.kubelet.has_socket() || self.daemon.known().is_some_and(is_registered)
    }
}

/// What sysfs says of the driver.
#[derive(Debug)]
pub struct DriverFacts {
    /// Loaded modules whose names begin with `cxi`.
    pub modules: Reading<BTreeSet<String>>,
    /// The file of the parameter `disable_default_svc`.
    pub default_service_parameter: PathBuf,
    /// What it holds; none where the driver has no such parameter.
    pub default_service_disabled: Reading<Option<String>>,
}

/// What the host has of libraries.
#[derive(Debug, Default)]
pub struct LibraryFacts {
    /// libfabric and libcxi, and what they need.
    pub listed: Vec<Library>,
    /// Which of several these are.
    pub choices: Vec<LibraryChoice>,
    /// What not everybody may read.
    pub restricted: Vec<ReadError>,
    /// What was odd about those.
    pub problems: Vec<ReadError>,
    /// What they need and the host does not have.
    pub missing_needs: Vec<ReadError>,
}

/// What the network of the host says.
#[derive(Debug)]
pub struct NetworkFacts {
    /// `/proc/net/route`.
    pub routes: TextFile,
    /// `/proc/net/ipv6_route`.
    pub routes6: TextFile,
    /// `/proc/net/if_inet6`.
    pub addresses6: TextFile,
    /// CNI configurations.
    pub cni: Reading<Vec<TextFile>>,
}

/// A text file, or none, or why it is not known.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: Reading<Option<String>>,
}

impl TextFile {
    /// The text, if there is one.
    pub fn known(&self) -> Option<&str> {
        self.text.as_ref().ok()?.as_deref()
    }
}

/// A CDI directory.
#[derive(Debug)]
pub struct CdiDirectoryFacts {
    /// Where.
    pub path: PathBuf,
    /// Permission bits; none where there is no directory.
    pub mode: Option<u32>,
    /// The spec files.
    pub files: Reading<Vec<SpecFile>>,
    /// Permission bits of each file.
    pub modes: Vec<(PathBuf, u32)>,
}

/// A container runtime that is on the node.
#[derive(Debug)]
pub struct Runtime {
    /// Which.
    pub kind: RuntimeKind,
    /// Its socket, or its process.
    pub seen: PathBuf,
    /// Its configuration, the main file first, then what that imports, in order.
    pub configuration: Vec<TextFile>,
    /// `/proc/PID/limits` of its process.
    pub limits: Option<TextFile>,
    /// Its unit with drop-ins, in the order in which systemd reads them.
    pub unit: Vec<TextFile>,
}

/// What is to be seen of kubelet.
#[derive(Debug)]
pub struct KubeletFacts {
    /// Its directory for device plugins.
    pub directory: PathBuf,
    /// Names in there; none where it is missing.
    pub entries: Reading<Vec<String>>,
    /// Its process.
    pub process: Option<SystemProcess>,
}

impl KubeletFacts {
    /// Whether kubelet has been serving device plugins here.
    fn has_socket(&self) -> bool {
        let entries = self.entries.iter().flatten();
        entries.into_iter().any(|name| name == "kubelet.sock")
    }
}

/// What is to be seen of our daemon.
#[derive(Debug)]
pub struct DaemonFacts {
    /// Process id of the one that runs.
    pub pid: Option<i32>,
    /// Why it is not known whether one runs.
    pub unseen: Option<String>,
    /// Its unit; `/dev/null` where it is masked.
    pub unit: Option<PathBuf>,
    /// The link that has it started at boot.
    pub wanted_by: Reading<Option<PathBuf>>,
    /// Where it says of itself what it does.
    pub status_file: PathBuf,
    /// What it says there.
    pub status: Reading<Option<Status>>,
}

impl DaemonFacts {
    /// What the daemon says that runs now; an earlier one's words are of no matter.
    pub fn known(&self) -> Option<&Status> {
        let status = self.status.as_ref().ok()?.as_ref();
        status.filter(|status| self.pid == i32::try_from(status.pid).ok())
    }

    /// Whether an admin has forbidden the unit.
    pub fn is_masked(&self) -> bool {
        self.unit.as_deref() == Some(Path::new("/dev/null"))
    }
}
