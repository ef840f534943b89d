//! The command line: one file per sub-command.

mod bench;
mod capture;
mod demo;
mod driver;
mod kubelet;
mod node;
mod scenario;
mod sysfs;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Emulates what a compute node with HPE Slingshot (CXI) NICs shows, without hardware, root or kernel modules.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Node(node::Args),
    Capture(capture::Args),
    Kubelet(kubelet::Args),
    Scenario(scenario::Args),
    Sysfs(sysfs::Args),
    Driver(driver::Args),
    Demo(demo::Args),
    Bench(bench::Args),
}

/// Runs the command line. Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn run() -> ExitCode {
    let result: Result<ExitCode, Box<dyn Error>> = match Cli::parse().command {
        Command::Node(args) => node::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Capture(args) => capture::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Kubelet(args) => Ok(kubelet::run(&args)),
        Command::Scenario(args) => scenario::run(&args),
        Command::Sysfs(args) => sysfs::run(&args),
        Command::Driver(args) => driver::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        complain(&format!("cxi-sim: {error}"));
        ExitCode::FAILURE
    })
}

/// One line on standard error.
fn complain(text: &str) {
    // Nobody is left to tell if it is closed.
    let _ = writeln!(io::stderr(), "{text}");
}
