//! `cxi-sim bench`: figures of a device plugin.

use std::error::Error;
use std::path::PathBuf;

use cxi_sim::bench;

/// Measure a device plugin: start, Allocate, kubelet restarts, memory. Build both with --release
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device plugin to run
    #[arg(long, value_name = "PROGRAM")]
    plugin: PathBuf,
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench::run(&args.plugin, &mut std::io::stdout()))
}
