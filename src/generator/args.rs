//! The generator's command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use crate::cdi::format::Format;
use crate::host::cdi_directory::CdiDirectory;
use crate::host_args::HostArgs;

const EXAMPLES: &str = "\
Examples:
  cxi-cdi-generator
      Write /etc/cdi/hpe.com-cxi.yaml for this node
  cxi-cdi-generator --dry-run --format json
      Print the spec, write nothing
  podman run --device hpe.com/cxi=all IMAGE
      Run a container with all NICs; hpe.com/cxi=0000:21:00.0 is one NIC, whatever its number

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 bad configuration";

/// Writes the CDI spec for the HPE Slingshot (CXI) NICs of this node
#[derive(Debug, Parser)]
#[command(
    name = "cxi-cdi-generator",
    version,
    disable_version_flag = true,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    generate: GenerateArgs,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the CDI spec (the default)
    Generate(GenerateArgs),
}

/// What to generate.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateArgs {
    /// Directory for the spec
    #[arg(long, value_name = "DIR", default_value = "/etc/cdi")]
    cdi_dir: PathBuf,
    /// Print the spec instead of writing it
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Format of the spec
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// How much to say of what was found: 0 problems, 1 each NIC, 2 each value that could not be read
    #[arg(short = 'V', long, value_name = "N", default_value_t = 0)]
    pub verbose: u8,
    /// The host.
    #[command(flatten)]
    pub host: HostArgs,
}

impl Args {
    /// The one thing there is to do so far.
    pub fn generate(self) -> GenerateArgs {
        match self.command {
            Some(Command::Generate(args)) => args,
            None => self.generate,
        }
    }
}

impl GenerateArgs {
    /// Where the spec goes.
    pub fn cdi(&self) -> CdiDirectory {
        CdiDirectory {
            path: self.cdi_dir.clone(),
            format: self.format,
        }
    }
}
