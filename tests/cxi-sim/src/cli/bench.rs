//! `cxi-sim bench`: figures of a device plugin.

use std::error::Error;
use std::path::PathBuf;

use cxi_sim::bench::{Bench, Counts, Part};

/// Measure a device plugin: start, Allocate, memory, kubelet restarts, events, idling, services for pods. Build both with --release
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device plugin to run
    #[arg(long, value_name = "PROGRAM")]
    plugin: PathBuf,
    /// Only these parts
    #[arg(long, value_name = "PART,...", value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Only from events to list and file, on this machine's kernel, with the modules of tests/vm/module in DIR
    #[arg(long, value_name = "DIR", conflicts_with = "only")]
    modules: Option<PathBuf>,
    #[command(flatten)]
    counts: Counts,
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    // No further thread: who is not root can get a network namespace as long as there is none.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (out, progress) = (&mut std::io::stdout(), &mut std::io::stderr());
    let bench = Bench {
        plugin: args.plugin.clone(),
        counts: args.counts.clone(),
    };
    match &args.modules {
        Some(modules) => runtime.block_on(bench.guest_events(modules, out, progress)),
        None if args.only.is_empty() => runtime.block_on(bench.run(&Part::ALL, out, progress)),
        None => runtime.block_on(bench.run(&args.only, out, progress)),
    }
}
