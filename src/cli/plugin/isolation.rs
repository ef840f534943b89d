//! `isolation`: a CXI service for each pod.

use std::path::PathBuf;

use crate::cli::exit::Ended;
use crate::cli::plugin::host_settings::roots_by;
use crate::host::files::config::{self, CONFIG_FILE};
use crate::host::files::roots::{RootArgs, Roots};
use crate::isolation::{self, Places, Site};
use crate::model::config::LoadedConfig;
use crate::model::config::settings::LogSettings;
use crate::model::isolation::record::RUN_DIR;

/// Where containerd and CRI-O have it.
const NRI_SOCKET: &str = "/var/run/nri/nri.sock";

/// Arguments of `isolation`.
#[derive(Debug, Clone, clap::Args)]
pub struct IsolationArgs {
    /// Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for its own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-isolation]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Where the container runtime takes plugins
    #[arg(long, value_name = "SOCKET", default_value = NRI_SOCKET)]
    nri_socket: PathBuf,
    /// Kubelet's socket that tells which pod holds what [default: kubelet.pod_resources]
    #[arg(long, value_name = "SOCKET")]
    pod_resources: Option<PathBuf>,
    /// Least severe messages to log [default: log.level]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<tracing::Level>,
    /// The host.
    #[command(flatten)]
    roots: RootArgs,
}

/// Runs it until a signal ends it.
///
/// # Errors
/// What keeps it from starting.
pub fn run(args: IsolationArgs) -> anyhow::Result<Ended> {
    let usual = args.roots.usual_place(CONFIG_FILE);
    let file = args.config.as_deref();
    let files = config::read(file.unwrap_or(&usual), file.is_some());
    let settings = LoadedConfig::from_fragments(files)?.settings;
    let roots = Roots::new(&roots_by(args.roots.clone(), &settings))?;
    let of_service = std::env::var("RUNTIME_DIRECTORY").ok();
    let of_service = of_service.and_then(|all| all.split(':').next().map(PathBuf::from));
    let of_service = of_service.filter(|first| !first.as_os_str().is_empty());
    let run_dir = args.run_dir.or(of_service);
    let places = Places {
        run_dir: run_dir.unwrap_or_else(|| args.roots.usual_place(RUN_DIR)),
        socket: args.nri_socket,
    };
    let log = LogSettings {
        level: args.log_level.unwrap_or(settings.log.level),
        ..settings.log
    };
    let site = Site {
        roots,
        isolation: settings.isolation,
        lingers_after: settings.cxi_service.lingers_after,
        resource: settings.resource.name,
        pod_resources: args.pod_resources.unwrap_or(settings.kubelet.pod_resources),
    };
    isolation::run(site, &places, &log)?;
    Ok(Ended::Done)
}
