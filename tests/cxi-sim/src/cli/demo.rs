//! `cxi-sim demo`: the device plugin at work, from the first scan to a clean end.

use std::error::Error;
use std::path::PathBuf;

use cxi_sim::demo;

const EXAMPLES: &str = "\
Examples:
  cxi-sim demo --plugin bin/cxi-device-plugin

Exit status: 0 all was as it should be; 1 something was not, said on standard error; 2 wrong usage.";

/// Show a device plugin at work on an emulated node with an emulated kubelet, and check each step
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The device plugin to run
    #[arg(long, value_name = "PROGRAM")]
    plugin: PathBuf,
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(demo::run(&args.plugin, &mut std::io::stdout()))
}
