//! The command line of `cxi-device-plugin`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::help;
use crate::daemon::RunArgs;
use crate::host::config_files::CONFIG_FILE;

/// Offers the HPE Slingshot (CXI) NICs of this node to Kubernetes and keeps their CDI spec true
#[derive(Debug, Parser)]
#[command(
    name = "cxi-device-plugin",
    version,
    after_help = help::PLUGIN,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground (the default)
    #[command(after_help = help::RUN)]
    Run(RunArgs),
    /// Show what the daemon would run by, and where each value comes from
    #[command(after_help = help::CONFIG)]
    Config(ConfigArgs),
    /// Check a configuration file with its drop-ins
    #[command(after_help = help::CHECK_CONFIG)]
    CheckConfig(CheckConfigArgs),
}

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// The daemon's own flags
    #[command(flatten)]
    pub run: RunArgs,
    /// For whom to write
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub output: Form,
}

/// For whom to write a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// As a configuration file
    Toml,
}

/// Arguments of `check-config`.
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    /// The file; drop-ins are in config.d beside it
    #[arg(value_name = "FILE", default_value = CONFIG_FILE)]
    pub file: PathBuf,
}

impl Args {
    /// The subcommand, or the default one.
    pub fn action(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}
