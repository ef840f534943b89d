//! `cxi-sim`: the emulated node and the emulated kubelet as a program.

use std::process::ExitCode;

use clap::Parser;

mod cli {
    pub mod kubelet;
}

/// An emulated HPE Slingshot node and an emulated kubelet, for tests without hardware
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    Kubelet(cli::kubelet::Args),
}

fn main() -> ExitCode {
    let Command::Kubelet(args) = Command::parse();
    cli::kubelet::run(&args)
}
