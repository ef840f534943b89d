//! `cxi-sim`: emulated Slingshot nodes for tests and demonstrations without hardware.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
