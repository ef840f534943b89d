//! `cxi-sim capture`: a real node's tree from its bundle.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use cxi_sim::node::capture;

const EXAMPLES: &str = "\
Examples:
  On the node:
    cxi-device-plugin doctor --bundle node.tar
  Here:
    cxi-sim capture node.tar /tmp/node
    cxi-device-plugin doctor --root /tmp/node
    cxi-cdi-generator --root /tmp/node --dry-run";

/// Make the tree of a real node from the bundle of its doctor, for programs to take it for that node
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Archive that `cxi-device-plugin doctor --bundle` wrote
    bundle: PathBuf,
    /// New or empty directory
    dir: PathBuf,
}

/// Makes it.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let nodes = capture(&args.bundle, &args.dir)?;
    io::stdout().write_all(format!("{}: {nodes}\n", args.dir.display()).as_bytes())?;
    Ok(())
}
