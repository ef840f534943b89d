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
    /// Only from events to kubelet's list and to the CDI file
    #[arg(long)]
    events: bool,
    /// Only what renames in kubelet's directory cost
    #[arg(long, conflicts_with = "events")]
    renames: bool,
    /// With --events: on this machine's kernel, with the modules of tests/vm/module in DIR
    #[arg(long, value_name = "DIR", requires = "events")]
    modules: Option<PathBuf>,
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let out = &mut std::io::stdout();
    if args.events {
        runtime.block_on(bench::events(&args.plugin, args.modules.as_deref(), out))
    } else if args.renames {
        runtime.block_on(bench::renames(&args.plugin, out))
    } else {
        runtime.block_on(bench::run(&args.plugin, out))
    }
}
