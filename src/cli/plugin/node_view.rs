//! The node as it looks now, and what its daemon says of it.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use nix::unistd::Pid;
use serde::Deserialize;

use super::args::NodeArgs;
use crate::cli::exit;
use crate::host::clock::unix_seconds;
use crate::host::files::lock;
use crate::host::files::roots::Roots;
use crate::host::nics::cordons;
use crate::host::nics::scan::Scanner;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::selection::Selection;
use crate::model::status::{self, NicStatus, Status};

/// Hundreds of NICs with all their conditions.
const SIZE_LIMIT: u64 = 16 << 20;

/// Looks at the node; what is odd about it goes to standard error.
pub fn inventory(args: &NodeArgs) -> anyhow::Result<Inventory> {
    let scanner =
        Scanner::new(Roots::new(&args.roots)?, LibraryMode::None).with_cordons(cordons::directory(&args.run_dir));
    let inventory = scanner
        .scan()
        .map_err(|read_error| anyhow!("cannot look for NICs: {read_error}"))?;
    for problem in &inventory.problems {
        exit::warn(problem);
    }
    Ok(inventory)
}

/// A NIC as a single look judges it.
pub fn status(nic: &Nic) -> NicStatus {
    NicStatus::fresh(nic, Selection::default().withheld(nic), unix_seconds())
}

/// The record of the daemon that runs; none when none runs.
pub fn daemon_status(run_dir: &Path) -> anyhow::Result<Option<Status>> {
    let Some(pid) = lock::running(run_dir) else {
        return Ok(None);
    };
    let path = run_dir.join(status::FILE);
    let status = read(&path).with_context(|| {
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
    Ok(Some(status))
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn read(path: &Path) -> anyhow::Result<Status> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW)
        .open(path)?;
    let mut text = String::new();
    file.take(SIZE_LIMIT).read_to_string(&mut text)?;
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
