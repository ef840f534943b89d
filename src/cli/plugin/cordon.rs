//! `cordon` and `uncordon`: a NIC that no new pod shall get. The order is a file, so it holds with and without a daemon.

use anyhow::bail;

use super::args::{CordonArgs, NodeArgs, UncordonArgs};
use super::node_view;
use crate::cli::exit::Ended;
use crate::cli::terminal::output;
use crate::host::files::atomic_file::{self, WriteOutcome};
use crate::host::files::instance::{self, Life};
use crate::host::nics::cordons;
use crate::model::nic::pci::PciAddress;
use crate::model::nic::selection;
use crate::model::status::NicStatus;

/// Cordons.
pub fn cordon(args: &CordonArgs) -> anyhow::Result<Ended> {
    if args.reason.chars().any(char::is_control) {
        bail!("--reason must be one line without control characters: it goes into the log");
    }
    let run_dir = args.node.writable_run_dir()?;
    let nic = Target::find(&args.nic, &args.node)?;
    let line = format!("{}\n", args.reason);
    atomic_file::replace(&cordons::directory(&run_dir), &nic.address, None, line.as_bytes())?;
    let when = match instance::life(&run_dir) {
        Life::Runs(_) => "no new pod gets it",
        Life::Unknown(_) => "a daemon that runs or is started before the next boot gives it to no new pod",
        Life::Stopped => "no daemon runs; one that is started before the next boot gives it to no new pod",
    };
    output::line(&format!(
        "cordoned {}: {when}; running pods keep it; undo with: cxi-device-plugin uncordon {}",
        nic.called, nic.address
    ))?;
    Ok(Ended::Done)
}

/// Uncordons. A NIC that is gone can be uncordoned by its address.
pub fn uncordon(args: &UncordonArgs) -> anyhow::Result<Ended> {
    let directory = cordons::directory(&args.node.writable_run_dir()?);
    let address = args.nic.parse::<PciAddress>().map(|address| address.to_string());
    let nic = match address {
        Ok(address) if directory.join(&address).exists() => Target {
            called: address.clone(),
            address,
        },
        _ => Target::find(&args.nic, &args.node)?,
    };
    let said = match atomic_file::remove(&directory, &nic.address)? {
        WriteOutcome::Absent => format!("{} is not cordoned", nic.called),
        _ => format!("uncordoned {}", nic.called),
    };
    output::line(&said)?;
    Ok(Ended::Done)
}

/// The NIC in question.
struct Target {
    address: String,
    /// For people: all its names.
    called: String,
}

impl Target {
    fn find(name: &str, node: &NodeArgs) -> anyhow::Result<Self> {
        let inventory = node_view::inventory(node)?;
        let nics: Vec<NicStatus> = inventory.nics.iter().map(node_view::status).collect();
        let nic = selection::find(name, &nics)?;
        Ok(Self {
            called: nic.called(),
            address: nic.address.clone(),
        })
    }
}
