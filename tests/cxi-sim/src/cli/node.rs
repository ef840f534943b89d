//! `cxi-sim node`: builds an emulated node and changes it.

use std::error::Error;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use cxi_sim::node::{DeviceNumbers, Kind, Nic, NicSpec, Node, Variant};

const SPEC_HELP: &str = "\
NIC specification (SPEC): c1, c2, c1vf or c2vf (Cassini 1 or 2, PF or VF), then any of
  pci=0000:21:00.0    PCI address     numa=0           NUMA node, -1 for unknown
  cxi=0               N of cxiN       variant=V5+V14   ways to differ from the plain NIC
  netdev=hsn0         netdev name";

const EXAMPLES: &str = "\
Examples:
  cxi-sim node create /tmp/node --count 4          four Cassini 1 NICs
  cxi-sim node create /tmp/node --nic c2 --nic c2,numa=-1,variant=V14
  cxi-sim node rebind /tmp/node 0000:21:00.0       cxi0 becomes cxi4
  cxi-sim node link /tmp/node 0000:61:00.0 down
  cxi-sim node set /tmp/node 0000:61:00.0 properties/pct_eq 0
  cxi-sim node list /tmp/node --output json";

/// Build an emulated node in a directory, and change it while programs look at it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Have the kernel tell by uevents of what comes and goes; needs CAP_SYS_ADMIN in an own network namespace (unshare --net)
    #[arg(long, global = true)]
    uevents: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Build a node in a new or empty directory
    #[command(after_help = format!("{SPEC_HELP}\n\n{}\n\n{EXAMPLES}", variant_help()))]
    Create {
        /// Directory of the node
        dir: PathBuf,
        /// Add a NIC; repeatable [default: one c1]
        #[arg(long = "nic", value_name = "SPEC")]
        nics: Vec<NicSpec>,
        /// Add the NICs of a small node that shows this variant; repeatable
        #[arg(long = "variant", value_name = "V")]
        variants: Vec<Variant>,
        /// Add the NICs this many times
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: usize,
        /// Make libfabric need further libraries, until there are so many with libfabric and libcxi
        #[arg(long, value_name = "N", default_value_t = 2)]
        libraries: usize,
        /// Make /dev/cxiN with these numbers and N more, for a device cgroup to tell them apart; needs root
        #[arg(long, value_name = "MAJOR:MINOR", conflicts_with = "force")]
        device_numbers: Option<DeviceNumbers>,
        /// Rebuild a node that is there already
        #[arg(long)]
        force: bool,
    },
    /// Hotplug a NIC
    #[command(after_help = SPEC_HELP)]
    Add {
        /// Directory of the node
        dir: PathBuf,
        /// The NIC, such as c2,numa=1
        #[arg(value_name = "SPEC")]
        nic: NicSpec,
    },
    /// Remove a NIC, as by hot-unplug
    Remove {
        /// Directory of the node
        dir: PathBuf,
        /// PCI address of the NIC
        pci: String,
    },
    /// Take the driver from a NIC and give it back: the NIC gets a new cxi number
    Rebind {
        /// Directory of the node
        dir: PathBuf,
        /// PCI address of the NIC
        pci: String,
    },
    /// Unload the driver and load it again: every NIC gets a new cxi number, from 0
    Reload {
        /// Directory of the node
        dir: PathBuf,
    },
    /// Replace the value of an attribute
    Set {
        /// Directory of the node
        dir: PathBuf,
        /// PCI address of the NIC
        pci: String,
        /// Path below the PCI directory, such as properties/pct_eq
        attribute: String,
        /// New value; a newline is added
        #[arg(allow_hyphen_values = true)]
        value: std::ffi::OsString,
        /// Add no newline
        #[arg(long)]
        raw: bool,
    },
    /// Make the fabric link of a NIC go up or down
    Link {
        /// Directory of the node
        dir: PathBuf,
        /// PCI address of the NIC
        pci: String,
        /// Where the link goes
        state: LinkState,
    },
    /// Make the driver give a NIC up, as after an error it cannot recover from
    Fatal {
        /// Directory of the node
        dir: PathBuf,
        /// PCI address of the NIC
        pci: String,
    },
    /// List the NICs
    List {
        /// Directory of the node
        dir: PathBuf,
        /// For people or for programs
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum LinkState {
    Up,
    Down,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Runs one action.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let open = |dir: &Path| -> Result<Node, cxi_sim::node::Error> {
        let node = Node::open(dir)?;
        if args.uevents { node.with_uevents() } else { Ok(node) }
    };
    let report = match &args.action {
        Action::Create {
            dir,
            nics,
            variants,
            count,
            libraries,
            device_numbers,
            force,
        } => {
            let nics = wanted(nics, variants, *count);
            let node = match device_numbers {
                Some(first) => Node::create_numbered(dir, &nics, *first),
                None if *force => Node::recreate(dir, &nics),
                None => Node::create(dir, &nics),
            }?;
            if *libraries > 2 {
                node.grow_libraries(*libraries)?;
            }
            format!("{}: {} NICs; {}\n", dir.display(), nics.len(), node.device_nodes()?)
        }
        Action::Add { dir, nic } => format!("{}\n", open(dir)?.add(nic)?),
        Action::Remove { dir, pci } => {
            open(dir)?.remove(pci)?;
            String::new()
        }
        Action::Rebind { dir, pci } => format!("cxi{}\n", open(dir)?.rebind(pci)?),
        Action::Reload { dir } => {
            let node = open(dir)?;
            node.unload_driver()?;
            node.load_driver()?;
            String::new()
        }
        Action::Set {
            dir,
            pci,
            attribute,
            value,
            raw,
        } => {
            let mut value = value.as_bytes().to_vec();
            if !raw {
                value.push(b'\n');
            }
            Node::open(dir)?.set(pci, attribute, &value)?;
            String::new()
        }
        Action::Link { dir, pci, state } => {
            Node::open(dir)?.link(pci, *state == LinkState::Up)?;
            String::new()
        }
        Action::Fatal { dir, pci } => {
            Node::open(dir)?.fatal_error(pci)?;
            String::new()
        }
        Action::List { dir, output } => {
            let nics = Node::open(dir)?.nics()?;
            match output {
                Output::Table => table(&nics),
                Output::Json => serde_json::to_string_pretty(&nics)? + "\n",
            }
        }
    };
    print(&report)
}

/// The NICs that the options of `create` ask for.
fn wanted(nics: &[NicSpec], variants: &[Variant], count: usize) -> Vec<NicSpec> {
    let mut once: Vec<_> = nics.to_vec();
    once.extend(variants.iter().flat_map(|variant| variant.nics()));
    if once.is_empty() {
        once.push(NicSpec::new(Kind::Cassini1));
    }
    once.iter()
        .cycle()
        .take(once.len().saturating_mul(count))
        .cloned()
        .collect()
}

fn table(nics: &[Nic]) -> String {
    let mut text = format!("{:<14}{:<6}{:<9}NETDEV\n", "PCI", "KIND", "CXI");
    for nic in nics {
        let cxi = nic.cxi.map_or("-".into(), |number| format!("cxi{number}"));
        let netdev = nic.netdev.as_deref().unwrap_or("-");
        text += &format!("{:<14}{:<6}{cxi:<9}{netdev}\n", nic.pci, nic.kind);
    }
    text
}

/// Prints to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<(), Box<dyn Error>> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn variant_help() -> String {
    let lines = Variant::ALL.map(|variant| format!("  {:<5}{}", variant.to_string(), variant.summary()));
    format!("Variants (V):\n{}", lines.join("\n"))
}
