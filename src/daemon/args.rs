//! The flags of the daemon.

use std::path::PathBuf;
use std::time::Duration;

use crate::allocate::Strategy;
use crate::cdi::format::Format;
use crate::export::Exports;
use crate::host::cdi_directory::CdiDirectory;
use crate::host::lock::RUN_DIR;
use crate::host_args::HostArgs;
use crate::resource::ResourceName;

/// Arguments of `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Name of the extended resource
    #[arg(long, value_name = "NAME", default_value = "beta.hpe.com/cxi")]
    pub resource_name: ResourceName,
    /// Kubelet's directory for device plugins
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet/device-plugins")]
    pub kubelet_dir: PathBuf,
    /// Directory for the CDI spec
    #[arg(long, value_name = "DIR", default_value = "/var/run/cdi")]
    cdi_dir: PathBuf,
    /// Directory for the daemon's own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Answer kubelet with CDI names instead of device nodes and mounts; DIR sets --cdi-dir, too
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    enable_cdi: Option<Option<PathBuf>>,
    /// Seconds between two looks at the node without an event, for what has none; 0 for no such looks
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pulse: u32,
    /// Least severe messages to log
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: tracing::Level,
    #[arg(long, hide = true)]
    textfile: Option<PathBuf>,
    #[arg(long, hide = true)]
    metrics_socket: Option<PathBuf>,
    #[arg(long, hide = true)]
    nfd_dir: Option<PathBuf>,
    #[arg(long, hide = true)]
    devinfo_dir: Option<PathBuf>,
    /// The host
    #[command(flatten)]
    pub host: HostArgs,
}

impl RunArgs {
    /// Directory for the daemon's own state. systemd separates several directories by colons.
    pub fn run_dir(&self) -> PathBuf {
        let of_systemd = || {
            let directories = std::env::var("RUNTIME_DIRECTORY").ok()?;
            let first = directories.split(':').next().filter(|first| !first.is_empty())?;
            Some(PathBuf::from(first))
        };
        let given = self.run_dir.clone().or_else(of_systemd);
        given.unwrap_or_else(|| RUN_DIR.into())
    }

    /// Time between two looks without an event; none for no such looks.
    pub fn pulse(&self) -> Option<Duration> {
        (self.pulse > 0).then(|| Duration::from_secs(self.pulse.into()))
    }

    /// What is shown to other programs.
    pub fn exports(&self) -> Exports {
        Exports {
            textfile: self.textfile.clone(),
            metrics_socket: self.metrics_socket.clone(),
            nfd_dir: self.nfd_dir.clone(),
            devinfo_dir: self.devinfo_dir.clone(),
        }
    }

    /// How containers get their NICs.
    pub fn strategy(&self) -> Strategy {
        if self.enable_cdi.is_some() {
            Strategy::Cdi
        } else {
            Strategy::Direct
        }
    }

    /// Where the spec goes. The Go plugin took the path of a spec file: its directory is meant.
    pub fn cdi_directory(&self) -> CdiDirectory {
        let path = match &self.enable_cdi {
            Some(Some(path))
                if path
                    .file_name()
                    .and_then(|name| Format::of_file_name(name.to_str()?))
                    .is_some() =>
            {
                path.parent().map(PathBuf::from).unwrap_or_default()
            }
            Some(Some(path)) => path.clone(),
            _ => self.cdi_dir.clone(),
        };
        CdiDirectory {
            path,
            format: Format::default(),
        }
    }
}
