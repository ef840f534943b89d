//! The command line of `cxi-device-plugin`.

use clap::{Parser, Subcommand};

use super::doctor::DoctorArgs;
use super::help;
use crate::daemon::RunArgs;

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
    /// Say what is wrong with this node, and what to type
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
}

impl Args {
    /// The subcommand, or the default one.
    pub fn action(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}
