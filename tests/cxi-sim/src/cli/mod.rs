//! The command line: one file per sub-command.

mod node;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Emulates what a compute node with HPE Slingshot (CXI) NICs shows, without hardware, root or kernel modules.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// Each sub-command is a module with its arguments (`Args`) and `run()`: add `kubelet` and `demo` here and in `run()`.
#[derive(Subcommand)]
enum Command {
    Node(node::Args),
}

/// Runs the command line. Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Node(args) => node::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cxi-sim: {error}");
            ExitCode::FAILURE
        }
    }
}
