//! The services of the NICs that a look has found, asked for at once, for a command that shows them and ends. The daemon has
//! [`super::service_lists`].

use std::path::Path;
use std::time::Duration;

use crate::host::clock::unix_seconds;
use crate::host::device::commands::Commands;
use crate::host::device::node::Node;
use crate::host::device::{asking, endings, groups, survey};
use crate::host::files::roots::Roots;
use crate::model::nic::inventory::Nic;
use crate::model::reading::ReadError;

/// As long as a look at the NICs waits for them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks each NIC that answers otherwise. What hangs is waited for only so long. `run_dir` is the daemon's own directory, where it is
/// noted which services are to end.
pub fn ask(roots: &Roots, run_dir: &Path, lingers_after: Duration, nics: &mut [Nic]) {
    let notes = endings::directory(run_dir);
    let answering = nics.iter().filter(|nic| nic.answers.is_ok());
    let with_name = answering.filter_map(|nic| Some((nic.address, *nic.cxi.as_ref().ok()?)));
    let asked = with_name.collect();
    let apart = roots.apart();
    let told = asking::each(asked, PATIENCE, move |(_, cxi)| {
        let node = Node::open(&apart, *cxi)?;
        survey::services(Commands::to(&node), &groups::names(&apart, *cxi))
    });
    for ((address, cxi), told) in told {
        if let Some(nic) = nics.iter_mut().find(|nic| nic.address == address) {
            nic.services = told.map_err(|refused| ReadError::new(roots.dev.join(cxi.to_string()), refused));
            nic.note_endings(&endings::of(&notes, address), unix_seconds(), lingers_after);
        }
    }
}
