//! What the daemon runs by, a struct for each table. The keys with their defaults are in `keys.rs`.

use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::preset::Preset;
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::strategy::StrategySetting;
use crate::model::cdi::environment::EnvironmentVariable;
use crate::model::cdi::format::SpecFormat;
use crate::model::cdi::naming::Naming;
use crate::model::cdi::netdev_view::NetdevView;
use crate::model::cdi::render::{Expose, Policy};
use crate::model::health::{Action, HealthPolicy};
use crate::model::isolation::vni::VniPlan;
use crate::model::libs::given::ExtraLibrary;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::companion::Companion;
use crate::model::nic::numa::NumaTable;
use crate::model::nic::offer::{Exclusion, Functions};
use crate::model::nic::selection::Selection;
use crate::model::runtime::places::RuntimeEndpoint;
use crate::model::services::admission::Asker;
use crate::model::unit_sandbox::{Access, Need};

/// Where the daemon keeps its state unless it is told otherwise.
pub const RUN_DIR: &str = "/run/cxi-device-plugin";

/// Everything that the daemon runs by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[daemon]`
    pub daemon: DaemonSettings,
    /// `[roots]`
    pub roots: RootSettings,
    /// `[kubelet]`
    pub kubelet: KubeletSettings,
    /// `[runtime] endpoint`
    pub runtime_endpoint: RuntimeEndpoint,
    /// `[cdi]`
    pub cdi: CdiSettings,
    /// `[libraries]`
    pub libraries: LibrarySettings,
    /// `[container]`
    pub container: ContainerSettings,
    /// `[allocation] strategy`
    pub strategy: StrategySetting,
    /// `[[resource]]`
    pub resource: ResourceSettings,
    /// `exclude`
    pub exclude: Vec<Exclusion>,
    /// `[health]`
    pub health: HealthSettings,
    /// `[cxi_service]`
    pub cxi_service: CxiServiceSettings,
    /// `[export]`
    pub export: ExportSettings,
    /// `[isolation]`
    pub isolation: IsolationSettings,
    /// `[numa]`
    pub numa: NumaTable,
    /// `[log]`
    pub log: LogSettings,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonSettings {
    /// Lock and state.
    pub run_dir: PathBuf,
    /// How long after the first start of a boot systemd hears of readiness at the latest.
    pub start_grace: Duration,
}

/// Where the host keeps things; none for the usual places of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootSettings {
    /// sysfs.
    pub sysfs: PathBuf,
    /// Device nodes.
    pub dev: PathBuf,
    /// libfabric.
    pub ofi: Option<PathBuf>,
    /// libcxi.
    pub cxi: Option<PathBuf>,
}

/// Whether there is kubelet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    /// Served whenever it is there
    Auto,
    /// The same, and its absence is worth a warning
    Yes,
    /// Never served: only the CDI file is kept
    No,
}

/// Kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletSettings {
    /// Whether it is served.
    pub enabled: Enabled,
    /// Its directory for device plugins.
    pub dir: PathBuf,
    /// Its socket that tells which pod holds what.
    pub pod_resources: PathBuf,
}

/// The CDI spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdiSettings {
    /// Its directory.
    pub dir: PathBuf,
    /// As YAML or JSON.
    pub format: SpecFormat,
    /// The devices' names.
    pub naming: Naming,
}

/// The host's libraries in containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibrarySettings {
    /// Which ones.
    pub mode: LibraryMode,
    /// Whether a closure has those that images are likely to have, too.
    pub closure_all: bool,
    /// How containers find them.
    pub expose: Expose,
    /// Further ones, by their paths on the host.
    pub extra: Vec<ExtraLibrary>,
}

/// What else containers get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSettings {
    /// Sets of variables for it.
    pub presets: Vec<Preset>,
    /// Environment, with that of the presets.
    pub environment: Vec<EnvironmentVariable>,
    /// Device nodes beside the NICs' own.
    pub devices: Vec<Companion>,
    /// What they see of their NICs' network interfaces.
    pub netdev_view: NetdevView,
}

/// One extended resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSettings {
    /// Its name.
    pub name: ResourceName,
    /// Which kind of functions it has.
    pub functions: Functions,
}

/// How the NICs are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// Time between two looks without an event; none for no such looks.
    pub poll: Option<Duration>,
    /// What each condition does, and how long news of it waits.
    pub policy: HealthPolicy,
}

/// What is shown to other programs; none for what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportSettings {
    /// Metrics as a file for the textfile collector of node_exporter.
    pub textfile: Option<PathBuf>,
    /// Metrics on a unix socket.
    pub metrics_socket: Option<PathBuf>,
    /// Directory of feature files of node-feature-discovery.
    pub nfd_dir: Option<PathBuf>,
    /// Directory of the device-info files of device plugins.
    pub devinfo_dir: Option<PathBuf>,
}

/// Services for pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IsolationSettings {
    /// Whether NICs are unhealthy while pods would get none.
    pub required: bool,
    /// What becomes of pods with the host's network.
    pub host_network: HostNetwork,
    /// Which VNIs the pods of a namespace get.
    pub vnis: VniPlan,
}

impl IsolationSettings {
    /// Whether the site has services made for pods.
    pub fn is_on(&self) -> bool {
        self.required || !self.vnis.is_empty()
    }
}

/// What becomes of pods with the host's network, which can have no service of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum HostNetwork {
    /// They go by whatever else admits them.
    #[default]
    Ignore,
    /// Their containers with NICs are refused.
    Refuse,
}

impl ExportSettings {
    /// Whether nothing is shown.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

/// What a NIC is to a site that a pod could not use, by its services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DefaultService {
    /// It is said; the NIC stays Healthy.
    Warn,
    /// The NIC is Unhealthy.
    Require,
    /// Nothing, such as where launchers make a service for each job.
    Ignore,
}

impl DefaultService {
    /// All words for it.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Require, Self::Ignore];

    /// The same, as of the condition `cxi-service`.
    pub fn action(self) -> Action {
        match self {
            Self::Warn => Action::Warn,
            Self::Require => Action::Fail,
            Self::Ignore => Action::Ignore,
        }
    }
}

/// CXI services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CxiServiceSettings {
    /// Of a NIC that no pod could use.
    pub default_service: DefaultService,
    /// Whose pod is asked about.
    pub pod: Asker,
    /// How long the end of a service may be refused before that is news.
    pub lingers_after: Duration,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe messages in it.
    pub level: Level,
    /// Where it goes.
    pub target: LogTarget,
    /// How it looks.
    pub format: LogFormat,
}

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogTarget {
    /// The journal if stderr leads there, else stderr.
    #[default]
    Auto,
    /// The journal, wherever stderr leads; stderr if there is none.
    Journald,
    /// Lines on stderr.
    Stderr,
}

/// What a line on stderr looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, with every field.
    Json,
}

impl Settings {
    /// What a site decides about containers.
    pub fn policy(&self) -> Policy {
        Policy {
            expose: self.libraries.expose,
            netdev_view: self.container.netdev_view,
            environment: self.container.environment.clone(),
            selection: Selection::without(self.resource.functions, self.exclude.clone()),
            naming: self.cdi.naming.clone(),
        }
    }

    /// Where the daemon reads and writes, by key.
    pub fn needs(&self) -> Vec<Need> {
        let parent = |file: &PathBuf| file.parent().unwrap_or(file).to_owned();
        let export = &self.export;
        let written = [
            (
                "kubelet.dir",
                Some(&self.kubelet.dir)
                    .filter(|_| self.kubelet.enabled != Enabled::No)
                    .cloned(),
            ),
            ("cdi.dir", Some(self.cdi.dir.clone())),
            ("daemon.run_dir", Some(self.daemon.run_dir.clone())),
            ("export.textfile", export.textfile.as_ref().map(parent)),
            ("export.metrics_socket", export.metrics_socket.as_ref().map(parent)),
            ("export.nfd_dir", export.nfd_dir.clone()),
            ("export.devinfo_dir", export.devinfo_dir.clone()),
        ];
        let read = [
            ("roots.sysfs", Some(self.roots.sysfs.clone())),
            ("roots.dev", Some(self.roots.dev.clone())),
            ("roots.ofi", self.roots.ofi.clone()),
            ("roots.cxi", self.roots.cxi.clone()),
        ];
        let need = |access: Access| move |(key, path): (&str, Option<PathBuf>)| Some(Need::new(key, path?, access));
        let written = written.into_iter().filter_map(need(Access::Write));
        let extra = self
            .libraries
            .extra
            .iter()
            .map(|library| Some(library.path().to_owned()));
        let read = read.into_iter().chain(extra.map(|path| ("libraries.extra", path)));
        written.chain(read.filter_map(need(Access::Read))).collect()
    }

    /// The libraries for containers.
    pub fn libraries(&self) -> LibraryMode {
        let LibrarySettings { mode, closure_all, .. } = self.libraries;
        mode.with_all(closure_all).unwrap_or(mode)
    }
}
