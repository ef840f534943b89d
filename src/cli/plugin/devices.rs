//! `devices`: the NICs of the node as they look now, whether a daemon runs or not.

use serde::Serialize;

use super::args::DevicesArgs;
use super::node_view;
use super::pods::{Pods, PodsReport};
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
    pods: PodsReport,
}

/// Lists them.
pub fn run(args: &DevicesArgs) -> anyhow::Result<Ended> {
    let node = args.node.configured()?;
    let inventory = node_view::inventory_with_services(&node)?;
    let settings = &node.settings;
    let pods = args
        .pods
        .ask(node.roots.prefix.clone(), settings, &settings.resource.name);
    let devices = Devices {
        pods: pods.report(),
        nics: node_view::statuses(&inventory, settings),
        cordoned_absent: AbsentCordon::list(&inventory),
        problems: inventory.problems.iter().map(ToString::to_string).collect(),
    };
    match args.output {
        Audience::Json => output::json(&devices)?,
        Audience::Table => output::styled(&described(&devices, &pods))?,
    }
    Ok(Ended::Done)
}

fn described(devices: &Devices, pods: &Pods) -> String {
    let nics = if devices.nics.is_empty() {
        "no CXI NIC: no PCI function has the id 17db:0501, 1590:0371 or 1590:0372\n".to_owned()
    } else {
        nic_table::nics_with_pods(&devices.nics, |address| pods.cell(address))
    };
    let addresses = devices.nics.iter().map(|nic| nic.address.as_str());
    nics + &nic_table::absent(&devices.cordoned_absent) + &pods.remarks(addresses)
}
