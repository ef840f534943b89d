//! `cxi-sim sysfs`: what /sys and /dev show of one NIC, and how an emulated tree and a kernel differ in it.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use cxi_sim::sysfs::{Known, Listing, compare, list};

const EXAMPLES: &str = "\
Examples:
  cxi-sim sysfs list 0000:21:00.0 > real
  cxi-sim node create /tmp/node && cxi-sim sysfs list 0000:21:00.0 --root /tmp/node > emulated
  cxi-sim sysfs compare --known known-differences.yaml tree/ guest/

Exit status of compare: 0 all differences are known and all known ones are there, 1 not so.";

/// List what /sys and /dev show of one NIC, or compare such listings
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// One line for each name: path, tab, then mode with content, or link target
    List {
        /// PCI address of the NIC
        pci: String,
        /// Where the host's tree is
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
    },
    /// Hold the listings of an emulated tree against those of a kernel: files of the same name in two directories
    Compare {
        /// YAML file of the differences that are known
        #[arg(long, value_name = "FILE")]
        known: PathBuf,
        /// Listings of emulated trees
        tree: PathBuf,
        /// Listings of a kernel
        guest: PathBuf,
    },
}

/// Runs one action.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    match &args.action {
        Action::List { pci, root } => {
            let listing =
                list(root, pci).map_err(|error| format!("cannot list {pci} in {}: {error}", root.display()))?;
            let lines: String = listing.iter().map(|(path, text)| format!("{path}\t{text}\n")).collect();
            io::stdout().write_all(lines.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Compare { known, tree, guest } => judge(&Known::from_file(known)?, tree, guest),
    }
}

/// Says each unknown difference once with the listings that show it, and each entry that is of no use any more.
fn judge(known: &Known, tree: &Path, guest: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let mut differences = Vec::new();
    let mut names: Vec<_> = fs::read_dir(tree)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    let mut text = String::new();
    for name in names {
        let found = compare(&read(&tree.join(&name))?, &read(&guest.join(&name))?);
        let unknown = known.judge(&found).unknown;
        let of_name = name.to_string_lossy();
        text.extend(unknown.iter().map(|difference| format!("{of_name}: {difference}\n")));
        differences.extend(found);
    }
    let verdict = known.judge(&differences);
    text.extend(
        verdict
            .gone
            .iter()
            .map(|entry| format!("listed, but no difference any more: {entry}\n")),
    );
    io::stdout().write_all(text.as_bytes())?;
    Ok(if text.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(file: &Path) -> Result<Listing, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let pair = |line: &str| {
        let (path, what) = line
            .split_once('\t')
            .ok_or_else(|| format!("{}: no tab in \"{line}\"", file.display()))?;
        Ok((path.to_owned(), what.to_owned()))
    };
    text.lines().map(pair).collect()
}
