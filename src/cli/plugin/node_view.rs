//! The node as it looks now, and what its daemon says of it.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use nix::unistd::Pid;
use serde::Deserialize;

use super::host_settings::ConfiguredNode;
use crate::cli::exit;
use crate::host::clock::unix_seconds;
use crate::host::files::instance::{self, Life};
use crate::host::files::roots::Roots;
use crate::host::nics::scan::Scanner;
use crate::host::nics::scan_options::ScanOptions;
use crate::host::nics::{cordons, services_now};
use crate::model::config::Settings;
use crate::model::health::AcrossNics;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::status::{self, NicStatus, Status};

/// Looks at the node; what is odd about it goes to standard error.
pub fn inventory(node: &ConfiguredNode) -> anyhow::Result<Inventory> {
    let options = ScanOptions::from(LibraryMode::None)
        .with_numa(node.settings.numa.clone())
        .with_isolation(node.settings.isolation.is_on());
    let scanner = Scanner::new(Roots::new(&node.roots)?, options).with_cordons(cordons::directory(&node.run_dir));
    let inventory = scanner
        .scan()
        .map_err(|read_error| anyhow!("cannot look for NICs: {read_error}"))?;
    for problem in &inventory.problems {
        exit::warn(problem);
    }
    Ok(inventory)
}

/// The same, with what the driver says of their services.
pub fn inventory_with_services(node: &ConfiguredNode) -> anyhow::Result<Inventory> {
    let mut inventory = inventory(node)?;
    let after = node.settings.cxi_service.lingers_after;
    services_now::ask(&Roots::new(&node.roots)?, &node.run_dir, after, &mut inventory.nics);
    Ok(inventory)
}

/// The NICs as a single look judges them.
pub fn statuses(inventory: &Inventory, settings: &Settings) -> Vec<NicStatus> {
    let across_nics = AcrossNics::of(&inventory.nics);
    let status = |nic| status(nic, &across_nics, settings);
    inventory.nics.iter().map(status).collect()
}

/// One of them.
pub fn status(nic: &Nic, across_nics: &AcrossNics, settings: &Settings) -> NicStatus {
    let withheld = settings.policy().selection.withheld(nic);
    NicStatus::fresh(nic, across_nics, withheld, &settings.health.policy, unix_seconds())
}

/// What is to be seen of the daemon.
#[derive(Debug)]
pub enum Daemon {
    /// It runs, and this is its record.
    Runs(Box<Status>),
    /// None runs.
    Stopped,
    /// Why one may run or not.
    Unknown(String),
}

/// Whether the daemon runs, with its record.
pub fn daemon(run_dir: &Path) -> anyhow::Result<Daemon> {
    let pid = match instance::life(run_dir) {
        Life::Runs(pid) => pid,
        Life::Stopped => return Ok(Daemon::Stopped),
        Life::Unknown(reason) => return Ok(Daemon::Unknown(reason)),
    };
    let path = run_dir.join(status::FILE);
    let status = read(run_dir).with_context(|| {
        format!(
            "cxi-device-plugin runs (pid {pid}), but its {} cannot be read",
            path.display()
        )
    })?;
    if Pid::from_raw(status.pid.cast_signed()) != pid {
        bail!(
            "cxi-device-plugin runs (pid {pid}), but {} is of an earlier one (pid {}): it is starting, or cannot write \
             there; see journalctl -u cxi-device-plugin",
            path.display(),
            status.pid
        );
    }
    Ok(Daemon::Runs(Box::new(status)))
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn read(run_dir: &Path) -> anyhow::Result<Status> {
    let text = instance::record(run_dir)?.context("it is not there")?;
    let Version { schema } = serde_json::from_str(&text).context("not a record of ours")?;
    if schema != status::SCHEMA {
        bail!(
            "it has schema {schema}, this program knows {}: restart the daemon, so that both are of one version",
            status::SCHEMA
        );
    }
    serde_json::from_str(&text).context("not a record of ours")
}

/// How long ago, in the largest unit that fits.
pub fn ago(then: u64, now: u64) -> String {
    let seconds = now.saturating_sub(then);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
