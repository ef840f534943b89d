//! The program `cxi-device-plugin`: the daemon, and the commands of an admin beside it.

mod arg_sources;
mod args;
mod check_config;
mod config;
mod cordon;
mod devices;
mod doctor;
mod explain;
mod explain_pid;
mod help;
mod host_settings;
mod isolation;
mod node_args;
mod node_view;
mod pods;
mod run;
mod services;
mod status;

use std::process::ExitCode;

use clap::CommandFactory;

use self::args::{Args, Command};
use super::exit::{self, Ended};

const PROGRAM: &str = "cxi-device-plugin";

/// Parses the command line, runs, and says how it went.
pub fn main() -> ExitCode {
    exit::program(PROGRAM, |args: Args| run(args.action()))
}

/// The command line as it is defined, for manual pages and completions.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(command: Command) -> anyhow::Result<Ended> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Status(args) => status::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Cordon(args) => cordon::cordon(&args),
        Command::Uncordon(args) => cordon::uncordon(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Services(args) => services::run(&args),
        Command::Isolation(args) => isolation::run(args),
        Command::Config(args) => config::run(&args),
        Command::CheckConfig(args) => check_config::run(&args),
    }
}
