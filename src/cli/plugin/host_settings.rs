//! What the host's configuration says of the daemon, for commands beside it.

use std::path::{Path, PathBuf};

use crate::cli::exit;
use crate::host::files::config::{self, CONFIG_FILE};
use crate::host::files::roots::{RootArgs, Roots};
use crate::model::config::settings::Settings;
use crate::model::config::{ConfigError, LoadedConfig, Origin, Problem};
use crate::model::doctor::finding::Evidence;

/// The host's configuration of the daemon, or what is wrong with it where the daemon would refuse it.
///
/// # Errors
/// The prefix is no directory.
fn load(prefix: Option<PathBuf>) -> anyhow::Result<Result<LoadedConfig, ConfigError>> {
    let roots = Roots::new(&RootArgs {
        prefix,
        ..RootArgs::default()
    })?;
    let file = Path::new(CONFIG_FILE);
    let here = roots.local_path(&roots.resolve(file).unwrap_or_else(|_| file.to_owned()));
    Ok(LoadedConfig::from_fragments(config::read(&here, false)))
}

/// The same; the defaults, and what is wrong, where the daemon would refuse it.
///
/// # Errors
/// The prefix is no directory.
pub fn read(prefix: Option<PathBuf>) -> anyhow::Result<(Settings, Vec<Evidence>)> {
    Ok(match load(prefix)? {
        Ok(loaded) => (loaded.settings, Vec::new()),
        Err(ConfigError(problems)) => {
            let problems = problems
                .iter()
                .map(|problem| Evidence::new(CONFIG_FILE, described_problem(problem)));
            (Settings::default(), problems.collect())
        }
    })
}

/// Where the host keeps things: by a flag or a variable, else by its configuration.
pub fn roots_by(set: RootArgs, settings: &Settings) -> RootArgs {
    let unless_usual = |path: &Path, usual: &str| (path != Path::new(usual)).then(|| path.to_owned());
    let is_set = |path: &PathBuf| !path.as_os_str().is_empty();
    let roots = &settings.roots;
    RootArgs {
        prefix: set.prefix,
        sysfs_root: set
            .sysfs_root
            .filter(is_set)
            .or_else(|| unless_usual(&roots.sysfs, "/sys")),
        devfs_root: set
            .devfs_root
            .filter(is_set)
            .or_else(|| unless_usual(&roots.dev, "/dev")),
        ofi_root: set.ofi_root.filter(is_set).or_else(|| roots.ofi.clone()),
        cxi_root: set.cxi_root.filter(is_set).or_else(|| roots.cxi.clone()),
    }
}

/// A node as a command finds it: by its flags, else by the host's configuration of the daemon.
#[derive(Debug)]
pub struct ConfiguredNode {
    /// The configuration; the defaults where the daemon would refuse it.
    pub settings: Settings,
    /// Where the host keeps things.
    pub roots: RootArgs,
    /// The daemon's own directory.
    pub run_dir: PathBuf,
    refused: Option<ConfigError>,
}

impl ConfiguredNode {
    /// With what was given on the command line.
    ///
    /// # Errors
    /// The prefix is no directory.
    pub fn new(set: RootArgs, run_dir: Option<&Path>) -> anyhow::Result<Self> {
        let (settings, refused) = match load(set.prefix.clone())? {
            Ok(loaded) => (loaded.settings, None),
            Err(error) => (Settings::default(), Some(error)),
        };
        let usual = settings.daemon.run_dir.to_string_lossy();
        Ok(Self {
            run_dir: set.place(run_dir, &usual),
            roots: roots_by(set, &settings),
            refused,
            settings,
        })
    }

    /// The same for whoever only looks: what is wrong with the configuration is said.
    #[must_use]
    pub fn or_warn(self) -> Self {
        if let Some(error) = &self.refused {
            exit::warn(&format!("{error}; the defaults are taken here"));
        }
        self
    }

    /// The same for whoever changes something, and has not been told where.
    ///
    /// # Errors
    /// The configuration may name another directory, and the daemon would refuse it.
    pub fn or_fail(self) -> anyhow::Result<Self> {
        match self.refused {
            Some(error) => Err(error.into()),
            None => Ok(self),
        }
    }
}

/// Without the file, which is named beside it as the host has it.
fn described_problem(problem: &Problem) -> String {
    let line = match &problem.origin {
        Origin::File { line, .. } => format!("line {line}: "),
        _ => String::new(),
    };
    let key = problem.key.iter().map(|key| format!("{key}: "));
    line + &key.collect::<String>() + &problem.reason
}
