//! `run`: the daemon's flags, what they and the environment say of the configuration, and its start.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arg_sources::ArgSources;
use crate::cli::exit::Ended;
use crate::cli::host_args::{EnvVarsError, HostArgs};
use crate::daemon;
use crate::daemon::live_config::ConfigReader;
use crate::host::files::config::{self, CONFIG_FILE};
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::strategy::StrategySetting;
use crate::model::cdi::format::SpecFormat;
use crate::model::config::fragment::Content;
use crate::model::config::settings::Settings;
use crate::model::config::value::Value;
use crate::model::config::{Fragment, LoadedConfig, Origin};

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(args: RunArgs) -> anyhow::Result<Ended> {
    let prefix = args.host.roots.prefix.clone();
    daemon::run(ConfigReader::new(move || args.configuration()), prefix)?;
    Ok(Ended::Done)
}

/// Arguments of `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    arg_sources: ArgSources,
    /// Configuration, with drop-ins in config.d beside it [default: /etc/cxi-device-plugin/config.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Name of the extended resource
    #[arg(long, value_name = "NAME", default_value = "beta.hpe.com/cxi")]
    resource_name: ResourceName,
    /// Kubelet's directory for device plugins
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet/device-plugins")]
    kubelet_dir: PathBuf,
    /// Directory for the CDI spec
    #[arg(long, value_name = "DIR", default_value = "/var/run/cdi")]
    cdi_dir: PathBuf,
    /// Directory for the daemon's own state [default: $RUNTIME_DIRECTORY of systemd, or /run/cxi-device-plugin]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Answer kubelet with CDI names whatever the container runtime makes of them; DIR sets --cdi-dir, too [default: with
    /// CDI names where the runtime is known to honour them, else with device nodes and mounts]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    enable_cdi: Option<Option<PathBuf>>,
    /// Seconds between two looks at the node without an event, for what has none; 0 for no such looks
    #[arg(long, value_name = "SECS", default_value_t = 30)]
    pulse: u32,
    /// Least severe messages to log
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: tracing::Level,
    /// The host
    #[command(flatten)]
    pub host: HostArgs,
}

impl RunArgs {
    /// The configuration: files, environment and flags.
    ///
    /// # Errors
    /// All that is wrong with it, or an `--env-vars` file that cannot be used.
    pub fn configuration(&self) -> anyhow::Result<LoadedConfig> {
        self.host.roots.check_texts()?;
        let file = self.config.as_deref();
        let usual = self.host.roots.usual_place(CONFIG_FILE);
        let files = config::read(file.unwrap_or(&usual), file.is_some());
        let fragments = [self.prefix_fragment(), self.systemd_fragment()]
            .into_iter()
            .chain(files)
            .chain([self.fragment()?]);
        Ok(LoadedConfig::from_fragments(fragments.collect())?)
    }

    /// With a prefix the usual places lie below it.
    fn prefix_fragment(&self) -> Fragment {
        let mut fragment = Fragment::default();
        let roots = &self.host.roots;
        if roots.prefix.as_ref().is_none_or(|prefix| prefix.as_os_str().is_empty()) {
            return fragment;
        }
        let usual = Settings::default();
        let origin = Origin::Flag {
            name: "--root".to_owned(),
        };
        for (key, directory) in [
            ("daemon.run_dir", usual.daemon.run_dir),
            ("kubelet.dir", usual.kubelet.dir),
            ("cdi.dir", usual.cdi.dir),
        ] {
            let place = roots.usual_place(&directory.to_string_lossy());
            let place = std::path::absolute(&place).unwrap_or(place);
            fragment.set(key, place.show(), &origin);
        }
        fragment
    }

    /// systemd's own idea of where a service keeps its state. What the files say goes over it, since it is there always. It
    /// separates several directories by colons.
    fn systemd_fragment(&self) -> Fragment {
        let mut fragment = Fragment::default();
        let directories = std::env::var("RUNTIME_DIRECTORY").unwrap_or_default();
        if let Some(first) = directories.split(':').next().filter(|first| !first.is_empty()) {
            let origin = Origin::Environment {
                name: "RUNTIME_DIRECTORY".to_owned(),
            };
            fragment.set("daemon.run_dir", Content::Text(first.to_owned()), &origin);
        }
        fragment
    }

    /// What the command line and the environment say.
    fn fragment(&self) -> Result<Fragment, EnvVarsError> {
        let mut fragment = Fragment::default();
        for (id, key, content) in self.flags() {
            if let Some(origin) = self.arg_sources.origin(id, "") {
                fragment.set(key, content, &origin);
            }
        }
        let roots = &self.host.roots;
        for (id, variable, key, root) in [
            ("sysfs_root", "SYSFS_ROOT", "roots.sysfs", &roots.sysfs_root),
            ("devfs_root", "DEVFS_ROOT", "roots.dev", &roots.devfs_root),
            ("ofi_root", "OFI_ROOT", "roots.ofi", &roots.ofi_root),
            ("cxi_root", "CXI_ROOT", "roots.cxi", &roots.cxi_root),
        ] {
            // Empty counts as not set.
            let is_set = root.as_ref().is_some_and(|root| !root.as_os_str().is_empty());
            if let Some(origin) = self.arg_sources.origin(id, variable).filter(|_| is_set) {
                fragment.set(key, root.show(), &origin);
            }
        }
        if let Some(origin) = self.arg_sources.origin("resource_name", "") {
            let mut resource = Fragment::default();
            resource.set("name", self.resource_name.show(), &origin);
            let resources = Content::list(&origin, [Content::Table(resource.table)]);
            fragment.set("resource", resources, &origin);
        }
        if let Some(origin) = self.arg_sources.origin("env_vars", "") {
            for variable in self.host.environment()? {
                let value = Content::Text(variable.value().to_owned());
                fragment.set_variable(variable.key(), value, &origin);
            }
        }
        Ok(fragment)
    }

    /// Flags that each set one key: their names for clap, the keys, and the values if they were given. Of those that set the
    /// same key the last one counts.
    fn flags(&self) -> Vec<(&'static str, &'static str, Content)> {
        let pulse = Duration::from_secs(self.pulse.into());
        let mut flags = vec![
            ("run_dir", "daemon.run_dir", self.run_dir.show()),
            ("kubelet_dir", "kubelet.dir", self.kubelet_dir.show()),
            ("cdi_dir", "cdi.dir", self.cdi_dir.show()),
            ("libraries", "libraries.mode", self.host.libraries.show()),
            ("closure_all", "libraries.closure_all", self.host.closure_all.show()),
            ("expose", "libraries.expose", self.host.expose.show()),
            ("netdev_view", "container.netdev_view", self.host.netdev_view.show()),
            ("presets", "container.presets", self.host.presets.show()),
            ("pulse", "health.poll", pulse.show()),
            ("log_level", "log.level", self.log_level.show()),
            ("enable_cdi", "allocation.strategy", StrategySetting::Cdi.show()),
        ];
        if let Some(Some(path)) = &self.enable_cdi {
            flags.push(("enable_cdi", "cdi.dir", directory_of_spec(path).show()));
        }
        flags
    }
}

/// The Go plugin took the path of a spec file: its directory is meant.
fn directory_of_spec(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(OsStr::to_str);
    match (name.and_then(SpecFormat::from_file_name), path.parent()) {
        (Some(_), Some(directory)) => directory.to_owned(),
        _ => path.to_owned(),
    }
}
