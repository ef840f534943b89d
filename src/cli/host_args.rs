//! The part of the command line that both programs share: where the host keeps things and what containers get of them.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::host::files::read;
use crate::host::files::roots::RootArgs;
use crate::model::cdi::environment::{self, EnvironmentError, EnvironmentVariable};
use crate::model::cdi::netdev_view::NetdevView;
use crate::model::cdi::render::{Expose, Policy};
use crate::model::config::preset::Preset;
use crate::model::libs::library_mode::LibraryMode;

/// Read as one text, so bounded.
const ENV_VARS_LIMIT: u64 = 1 << 20;

/// Flags about the host.
#[derive(Debug, Clone, clap::Args)]
pub struct HostArgs {
    /// Libraries that containers get from the host
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub libraries: LibraryMode,
    /// With --libraries closure: also libraries that images are likely to have, such as libssl, libcurl and libstdc++
    #[arg(long)]
    pub closure_all: bool,
    /// How containers find these libraries
    #[arg(long, value_enum, value_name = "WAY", default_value_t)]
    pub expose: Expose,
    /// What containers see of their NICs' network interfaces
    #[arg(long, value_enum, value_name = "VIEW", default_value_t)]
    pub netdev_view: NetdevView,
    /// Sets of variables for every container with a NIC, separated by commas; those of --env-vars go over them
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub presets: Vec<Preset>,
    /// YAML file whose key 'env:' lists KEY=VALUE for every container with a NIC
    #[arg(long, value_name = "FILE")]
    env_vars: Option<PathBuf>,
    /// Where the host keeps things.
    #[command(flatten)]
    pub roots: RootArgs,
}

/// The file of `--env-vars` cannot be used.
#[derive(Debug, Error)]
pub enum EnvVarsError {
    /// Not readable.
    #[error("cannot read the --env-vars file {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Readable, but no environment.
    #[error("the --env-vars file {}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<EnvironmentError>,
    },
}

/// Flags that each are right, but not together.
#[derive(Debug, Error)]
#[error("--closure-all says which libraries 'closure' takes: give --libraries closure with it, or leave it out")]
pub struct ClosureAllError;

impl HostArgs {
    /// Which libraries containers get.
    pub fn libraries(&self) -> Result<LibraryMode, ClosureAllError> {
        self.libraries.with_all(self.closure_all).ok_or(ClosureAllError)
    }

    /// What the site has decided about containers.
    pub fn policy(&self) -> Result<Policy, EnvVarsError> {
        Ok(Policy {
            expose: self.expose,
            netdev_view: self.netdev_view,
            environment: self.with_presets()?,
            ..Policy::default()
        })
    }

    /// Of one key the last one wins: the file's.
    fn with_presets(&self) -> Result<Vec<EnvironmentVariable>, EnvVarsError> {
        let given = self.environment()?;
        let variables = self.presets.iter().flat_map(|preset| preset.variables());
        let variables = variables.filter(|(key, _)| given.iter().all(|variable| variable.key() != *key));
        let made = variables.filter_map(|(key, value)| EnvironmentVariable::new(key, value).ok());
        Ok(made.chain(given.iter().cloned()).collect())
    }

    /// What the file of `--env-vars` says.
    pub fn environment(&self) -> Result<Vec<EnvironmentVariable>, EnvVarsError> {
        let read = self.env_vars.as_deref().map(read_environment).transpose()?;
        Ok(read.unwrap_or_default())
    }
}

fn read_environment(path: &Path) -> Result<Vec<EnvironmentVariable>, EnvVarsError> {
    let text = read::text_within(path, ENV_VARS_LIMIT).map_err(|source| EnvVarsError::Read {
        path: path.to_owned(),
        source,
    })?;
    environment::parse(&text).map_err(|source| EnvVarsError::Content {
        path: path.to_owned(),
        source: Box::new(source),
    })
}
