//! The generator's command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use super::help;
use crate::cli::host_args::HostArgs;
use crate::cli::terminal::output::Audience;
use crate::host::cdi_dir::directory::CdiDirectory;
use crate::host::files::roots::RootArgs;
use crate::model::cdi::format::SpecFormat;
use crate::model::cdi::naming::{NameKind, Naming};
use crate::model::config::settings::RUN_DIR;
use crate::model::nic::offer::Functions;

/// Where CDI specs are that no daemon keeps.
const STATIC_SPECS: &str = "/etc/cdi";
/// Where those are that come and go.
const DYNAMIC_SPECS: &str = "/var/run/cdi";

/// Writes the CDI spec for the HPE Slingshot (CXI) NICs of this node
#[derive(Debug, Parser)]
#[command(
    name = "cxi-cdi-generator",
    version,
    disable_version_flag = true,
    after_help = help::GENERATOR,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    // Before the flattened ones, whose last heading it would get; shown after them.
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version, display_order = 1000)]
    version: Option<bool>,
    #[command(flatten)]
    generate: GenerateArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the CDI spec (the default)
    #[command(after_help = help::GENERATE)]
    Generate(GenerateArgs),
    /// List what the CDI directories offer, and which of it works
    #[command(after_help = help::LIST)]
    List(ListArgs),
    /// Compare the spec on disk with what this node would get now
    #[command(after_help = help::VERIFY)]
    Verify(VerifyArgs),
    /// Remove our spec from a CDI directory
    #[command(after_help = help::REMOVE)]
    Remove(RemoveArgs),
}

/// What there is to do.
#[derive(Debug)]
pub enum Action {
    /// See [`super::generate`].
    Generate(GenerateArgs),
    /// See [`super::list`].
    List(ListArgs),
    /// See [`super::verify`].
    Verify(VerifyArgs),
    /// See [`super::remove`].
    Remove(RemoveArgs),
}

/// What the spec says, and how much to say of what was found.
#[derive(Debug, Clone, clap::Args)]
pub struct SpecArgs {
    /// Format of the spec [default: yaml]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<SpecFormat>,
    /// Only these NICs: PCI address, cxiN, N or network interface; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Which PCI functions get names
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    pub functions: Functions,
    /// Names that each NIC gets, separated by commas
    #[arg(
        long,
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "pci,cxi,index"
    )]
    names: Vec<NameKind>,
    /// Leave out the device 'all'
    #[arg(long)]
    no_all: bool,
    /// How much to say of what was found: 0 problems, 1 each NIC, 2 each value that could not be read
    #[arg(short = 'V', long, value_name = "N", default_value_t = 0)]
    pub verbose: u8,
    /// Where a running cxi-device-plugin keeps its lock; looked at to warn of it [default: /run/cxi-device-plugin]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub host: HostArgs,
}

/// Arguments of `generate`.
#[derive(Debug, Clone, clap::Args)]
pub struct GenerateArgs {
    /// Directory for the spec, made if it is missing [default: /etc/cdi]
    #[arg(long, value_name = "DIR")]
    cdi_dir: Option<PathBuf>,
    /// Print the spec instead of writing it
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Write the spec to this file instead, as a whole or not at all; - prints it. The suffix .json or .yaml sets the
    /// format unless --format does
    #[arg(short, long, value_name = "FILE", value_parser = destination, conflicts_with_all = ["cdi_dir", "dry_run"])]
    output: Option<PathBuf>,
    /// The spec.
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// Where a spec goes.
#[derive(Debug)]
pub enum Target {
    /// Printed.
    Stdout,
    /// To this file.
    File(PathBuf),
    /// As our file of a CDI directory.
    Directory(CdiDirectory),
}

/// Arguments of `list`.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// CDI directories, that of the highest priority last; may be repeated [default: /etc/cdi, /var/run/cdi]
    #[arg(long, value_name = "DIR")]
    cdi_dir: Vec<PathBuf>,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
    /// The host.
    #[command(flatten)]
    pub roots: RootArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Directory of the spec [default: /etc/cdi]
    #[arg(long, value_name = "DIR")]
    cdi_dir: Option<PathBuf>,
    /// Instead of the spec on disk: foretell what an image that is unpacked here gets of the host's libraries
    #[arg(long, value_name = "DIR", conflicts_with = "cdi_dir")]
    pub rootfs: Option<PathBuf>,
    /// LD_LIBRARY_PATH that this image sets itself
    #[arg(
        long,
        value_name = "DIRS",
        requires = "rootfs",
        default_value = "",
        hide_default_value = true
    )]
    pub image_library_path: String,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
    /// The spec.
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// Arguments of `remove`.
#[derive(Debug, Clone, clap::Args)]
pub struct RemoveArgs {
    /// Directory of the spec [default: /etc/cdi]
    #[arg(long, value_name = "DIR")]
    cdi_dir: Option<PathBuf>,
    /// Where the host's file system is mounted; the default directory lies below it
    #[arg(long = "root", value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// For whom to write
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Audience,
}

impl Args {
    /// The subcommand, or the default one.
    pub fn action(self) -> Action {
        match self.command {
            None => Action::Generate(self.generate),
            Some(Command::Generate(args)) => Action::Generate(args),
            Some(Command::List(args)) => Action::List(args),
            Some(Command::Verify(args)) => Action::Verify(args),
            Some(Command::Remove(args)) => Action::Remove(args),
        }
    }
}

impl SpecArgs {
    /// Which names a spec has.
    pub fn naming(&self) -> Naming {
        Naming {
            kinds: self.names.clone(),
            all: !self.no_all,
        }
    }
}

impl SpecArgs {
    /// The directory of the daemon that may run.
    pub fn run_dir(&self) -> PathBuf {
        self.host.roots.place(self.run_dir.as_deref(), RUN_DIR)
    }
}

impl ListArgs {
    /// The CDI directories, that of the highest priority last.
    pub fn directories(&self) -> Vec<PathBuf> {
        if self.cdi_dir.is_empty() {
            return [STATIC_SPECS, DYNAMIC_SPECS]
                .map(|usual| self.roots.usual_place(usual))
                .into();
        }
        self.cdi_dir.clone()
    }
}

impl RemoveArgs {
    /// Our place in the CDI directory.
    pub fn cdi(&self) -> CdiDirectory {
        let roots = RootArgs {
            prefix: self.prefix.clone(),
            ..RootArgs::default()
        };
        CdiDirectory {
            path: roots.place(self.cdi_dir.as_deref(), STATIC_SPECS),
            format: SpecFormat::default(),
        }
    }
}

impl GenerateArgs {
    /// Where the spec goes.
    pub fn target(&self) -> Target {
        match &self.output {
            Some(output) if output.as_os_str() == "-" => Target::Stdout,
            Some(output) => Target::File(output.clone()),
            None if self.dry_run => Target::Stdout,
            None => Target::Directory(self.cdi()),
        }
    }

    /// As asked for, else by the suffix of the file that was asked for.
    pub fn format(&self) -> SpecFormat {
        let by_suffix = || SpecFormat::from_file_name(self.output.as_ref()?.file_name()?.to_str()?);
        self.spec.format.or_else(by_suffix).unwrap_or_default()
    }

    /// Our place in the CDI directory.
    pub fn cdi(&self) -> CdiDirectory {
        CdiDirectory {
            path: self.spec.host.roots.place(self.cdi_dir.as_deref(), STATIC_SPECS),
            format: self.format(),
        }
    }
}

impl VerifyArgs {
    /// Our place in the CDI directory.
    pub fn cdi(&self) -> CdiDirectory {
        CdiDirectory {
            path: self.spec.host.roots.place(self.cdi_dir.as_deref(), STATIC_SPECS),
            format: self.spec.format.unwrap_or_default(),
        }
    }
}

/// Elsewhere `--output json` is a format, and a file of that name is hardly what is meant here.
fn destination(text: &str) -> Result<PathBuf, String> {
    match text {
        "yaml" | "json" | "table" => Err(format!(
            "this is the file for the spec; its format is --format; a file of that name is ./{text}"
        )),
        "" => Err("give a file, or - for standard output".to_owned()),
        _ if text.ends_with('/') => Err("this is a directory: give a file in it".to_owned()),
        _ => Ok(text.into()),
    }
}
