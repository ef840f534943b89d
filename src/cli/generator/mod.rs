//! The generator: the same spec as the daemon's, by hand, and what becomes of it.

mod args;
mod build_spec;
mod generate;
mod help;
mod list;
mod remove;
mod report;
mod rootfs;
mod verify;

use std::process::ExitCode;

use clap::CommandFactory;

use self::args::{Action, Args};
use super::exit::{self, Ended};

const PROGRAM: &str = "cxi-cdi-generator";

/// Parses the command line, runs, and says how it went.
pub fn main() -> ExitCode {
    exit::program(PROGRAM, |args: Args| run(args.action()))
}

/// The command line as it is defined, for manual pages and completions.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(action: Action) -> anyhow::Result<Ended> {
    match action {
        Action::Generate(args) => generate::run(&args),
        Action::List(args) => list::run(&args),
        Action::Verify(args) => verify::run(&args),
        Action::Remove(args) => remove::run(&args),
    }
}
