//! `devices`: the NICs of the node as they look now, whether a daemon runs or not.

use serde::Serialize;

use super::args::DevicesArgs;
use super::node_view;
use crate::cli::exit::Ended;
use crate::cli::terminal::nic_table;
use crate::cli::terminal::output::{self, Audience};
use crate::model::status::{AbsentCordon, NicStatus};

/// For programs.
#[derive(Serialize)]
struct Devices {
    nics: Vec<NicStatus>,
    problems: Vec<String>,
    /// NICs that are cordoned and not there.
    cordoned_absent: Vec<AbsentCordon>,
}

/// Lists them.
pub fn run(args: &DevicesArgs) -> anyhow::Result<Ended> {
    let inventory = node_view::inventory(&args.node)?;
    let devices = Devices {
        nics: node_view::statuses(&inventory),
        cordoned_absent: AbsentCordon::list(&inventory),
        problems: inventory.problems.iter().map(ToString::to_string).collect(),
    };
    match args.output {
        Audience::Json => output::json(&devices)?,
        Audience::Table if devices.nics.is_empty() => {
            let none = "no CXI NIC: no PCI function has the id 17db:0501, 1590:0371 or 1590:0372\n";
            output::raw(&(none.to_owned() + &nic_table::absent(&devices.cordoned_absent)))?;
        }
        Audience::Table => {
            output::styled(&(nic_table::nics(&devices.nics) + &nic_table::absent(&devices.cordoned_absent)))?;
        }
    }
    Ok(Ended::Done)
}
