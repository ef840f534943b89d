//! `cxi-sim driver`: what the driver answers to scripts of commands, in memory and behind a device node.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;
use cxi_sim::driver::script::{Kernel, Memory, generate, run as run_script};

const EXAMPLES: &str = "\
Examples:
  cxi-sim driver generate --seed 7 > script
  cxi-sim driver run script > in-memory
  cxi-sim driver run --device /dev/cxi0 script > in-kernel && diff in-memory in-kernel";

/// Send scripts of commands to the emulated driver, or to one behind a device node (root)
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print a random script
    Generate {
        /// The same seed makes the same script
        #[arg(long)]
        seed: u64,
        /// How many commands
        #[arg(long, default_value_t = 400)]
        commands: usize,
    },
    /// Run a script and print each line with its answer
    Run {
        /// Device node of a NIC whose driver has just come; without it, the driver in memory
        #[arg(long, value_name = "NODE")]
        device: Option<PathBuf>,
        /// The script
        script: PathBuf,
    },
}

/// Runs one action.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let text = match &args.action {
        Action::Generate { seed, commands } => generate(*seed, *commands),
        Action::Run { device, script } => {
            let read = fs::read_to_string(script).map_err(|error| format!("{}: {error}", script.display()))?;
            match device {
                Some(node) => {
                    let side = Kernel::new(node).map_err(|error| format!("{}: {error}", node.display()))?;
                    run_script(&read, &mut { side })?
                }
                None => run_script(&read, &mut Memory::default())?,
            }
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
