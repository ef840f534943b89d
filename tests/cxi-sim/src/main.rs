//! `cxi-sim`: the emulated node and the emulated kubelet as a program.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
