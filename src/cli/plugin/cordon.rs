//! `cordon` and `uncordon`: a NIC that no new pod shall get. The order is a file, so it holds with and without a daemon, and
//! before the NIC is there.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::args::{CordonArgs, UncordonArgs};
use super::host_settings::ConfiguredNode;
use super::node_view::{self, Daemon};
use crate::cli::exit::Ended;
use crate::cli::terminal::output;
use crate::host::files::instance::{self, Life};
use crate::host::files::roots::{RootArgs, Roots};
use crate::host::nics::cordons;
use crate::model::nic::pci::PciAddress;
use crate::model::nic::selection;

/// How long sysfs may take to say whether a NIC is there. The order holds without an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Cordons.
pub fn cordon(args: &CordonArgs) -> anyhow::Result<Ended> {
    if args.reason.chars().any(char::is_control) {
        bail!("--reason must be one line without control characters: it goes into the log");
    }
    let node = args.node.writable()?;
    let nic = Target::find(&args.nic, &node)?;
    let directory = cordons::directory(&node.run_dir);
    let name = nic.address.to_string();
    let oddity = standing(&directory, nic.address)?;
    if let Some(oddity) = oddity.as_ref().and_then(cordons::oddity) {
        output::line(&format!(
            "{} is cordoned already, by what is {oddity} and holds no reason: {}",
            nic.called,
            directory.join(&name).display()
        ))?;
        return Ok(Ended::Done);
    }
    cordons::give(&directory, nic.address, &args.reason).map_err(|error| anyhow!(error))?;
    let when = match (nic.is_there, instance::life(&node.run_dir)) {
        (Some(false), _) => "it is not there now; no new pod gets it once it comes, until the next boot",
        (None, _) => "sysfs does not say whether it is there; no new pod gets it",
        (_, Life::Runs(_)) => "no new pod gets it",
        (_, Life::Unknown(_)) => "a daemon that runs or is started before the next boot gives it to no new pod",
        (_, Life::Stopped) => "no daemon runs; one that is started before the next boot gives it to no new pod",
    };
    output::line(&format!(
        "cordoned {}: {when}; running pods keep it; undo with: cxi-device-plugin uncordon {}",
        nic.called, nic.address
    ))?;
    Ok(Ended::Done)
}

/// Uncordons. A NIC that is gone can be uncordoned by its address.
pub fn uncordon(args: &UncordonArgs) -> anyhow::Result<Ended> {
    let node = args.node.writable()?;
    let directory = cordons::directory(&node.run_dir);
    let removes = |address| {
        if standing(&directory, address)?.is_none() {
            return Ok(false);
        }
        cordons::remove(&directory, address)
            .with_context(|| format!("cannot remove {}", directory.join(address.to_string()).display()))
    };
    let by_address = args.nic.parse::<PciAddress>().ok();
    if let Some(address) = by_address
        && removes(address)?
    {
        output::line(&format!("uncordoned {address}"))?;
        return Ok(Ended::Done);
    }
    let nic = match by_address {
        Some(address) => {
            let nic = Target::by_address(address, &node)?;
            if nic.is_there == Some(false) {
                // There is nothing to take back; whoever has mistyped is told what there is.
                Target::by_look(&args.nic, &node)?
            } else {
                nic
            }
        }
        None => Target::find(&args.nic, &node)?,
    };
    let said = if removes(nic.address)? {
        format!("uncordoned {}", nic.called)
    } else {
        format!("{} is not cordoned", nic.called)
    };
    output::line(&said)?;
    Ok(Ended::Done)
}

fn standing(directory: &Path, address: PciAddress) -> anyhow::Result<Option<fs::Metadata>> {
    cordons::standing(directory, address).with_context(|| format!("cannot look into {}", directory.display()))
}

/// The NIC in question.
struct Target {
    address: PciAddress,
    /// For people: all its names, as far as they are known.
    called: String,
    /// None when nobody can tell.
    is_there: Option<bool>,
}

impl Target {
    /// By its address without a look at the NICs, which may hang; by another name with one.
    fn find(name: &str, node: &ConfiguredNode) -> anyhow::Result<Self> {
        match name.parse::<PciAddress>() {
            Ok(address) => Self::by_address(address, node),
            Err(error) if name.contains(':') => bail!("'{name}': {error}"),
            Err(_) => Self::by_look(name, node),
        }
    }

    fn by_address(address: PciAddress, node: &ConfiguredNode) -> anyhow::Result<Self> {
        let name = address.to_string();
        let nics = match node_view::daemon(&node.run_dir) {
            Ok(Daemon::Runs(record)) => record.node.nics,
            _ => Vec::new(),
        };
        let known = nics.iter().find(|nic| nic.address == name);
        Ok(Self {
            address,
            called: known.map_or(name, |nic| nic.called()),
            is_there: if known.is_some() {
                Some(true)
            } else {
                is_there(address, &node.roots)?
            },
        })
    }

    fn by_look(name: &str, node: &ConfiguredNode) -> anyhow::Result<Self> {
        let nics = node_view::statuses(&node_view::inventory(node)?, &node.settings);
        let nic = selection::find(name, &nics)?;
        Ok(Self {
            called: nic.called(),
            address: nic.address.parse()?,
            is_there: Some(true),
        })
    }
}

/// Asks on a thread that may hang; it ends with this process.
fn is_there(address: PciAddress, args: &RootArgs) -> anyhow::Result<Option<bool>> {
    let (answer, answers) = mpsc::channel();
    let args = args.clone();
    let look = move || {
        let found = Roots::new(&args).map(|roots| {
            let functions = roots.sysfs.join("bus/pci/devices");
            let nic = Path::new(&functions).join(address.to_string());
            fs::symlink_metadata(roots.local_path(&nic)).is_ok()
        });
        // Nobody may be waiting any more.
        let _ = answer.send(found);
    };
    thread::Builder::new().spawn(look).context("cannot start a thread")?;
    match answers.recv_timeout(PATIENCE) {
        Ok(found) => Ok(Some(found?)),
        Err(_late) => Ok(None),
    }
}
