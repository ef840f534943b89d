//! The daemon's command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::allocate::Strategy;
use crate::cdi::format::Format;
use crate::host::cdi_directory::CdiDirectory;
use crate::host::lock::RUN_DIR;
use crate::host_args::HostArgs;
use crate::resource::ResourceName;

/// Headings, under them what to type or what is meant, and under that what it does; the manual page is made from it.
const HELP: &str = "\
Examples:
  cxi-device-plugin
      Serve beta.hpe.com/cxi to kubelet and keep /var/run/cdi/hpe.com-cxi.yaml true
  cxi-device-plugin --enable-cdi
      Answer kubelet with CDI names; containerd 2.0 or newer, or CRI-O
  kill -HUP $(pidof cxi-device-plugin)
      Have it look at the node again

Files:
  /var/run/cdi/hpe.com-cxi.yaml
      The CDI spec; files of other names are never touched
  /var/lib/kubelet/device-plugins/kubelet.sock
      Where kubelet is; its directory gets the daemon's own sockets, too
  /run/cxi-device-plugin/lock
      Held while an instance runs

Environment:
  SYSFS_ROOT, DEVFS_ROOT, OFI_ROOT, CXI_ROOT
      Where the host keeps things, as the flags of these names; a flag wins, and an empty value counts as not set
  RUNTIME_DIRECTORY
      Set by systemd: directory for the daemon's own state, unless --run-dir names one

Exit codes:
  0
      Ended by SIGTERM or SIGINT
  1
      Failed
  2
      Wrong usage
  75
      Another instance is running
  78
      Bad configuration: a root or the --env-vars file";

/// Offers the HPE Slingshot (CXI) NICs of this node to Kubernetes and keeps their CDI spec true
#[derive(Debug, Parser)]
#[command(name = "cxi-device-plugin", version, after_help = HELP)]
pub struct Args {
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
    /// The host
    #[command(flatten)]
    pub host: HostArgs,
}

impl Args {
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
