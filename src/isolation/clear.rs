//! The end of all services that were made for pods, by hand: before the package goes, or when a node leaves this for good.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::keeper::{Keeper, Moment};
use super::ledger_file::{self, LedgerFile};
use crate::host::device::asking;
use crate::host::device::commands::Commands;
use crate::host::device::ending::{Clock, RealClock};
use crate::host::device::node::Node;
use crate::host::files::lock::InstanceLock;
use crate::host::files::roots::Roots;
use crate::host::nics::now;
use crate::model::isolation::record::NicRecord;
use crate::model::nic::pci::PciAddress;
use crate::model::services::refused::Refused;

/// How soon what is in use is tried again, at the most.
const PACE: Duration = Duration::from_millis(100);

/// What became of them.
#[derive(Debug, Default)]
pub struct Cleared {
    /// How many are gone.
    pub gone: usize,
    /// What is left, by NIC.
    pub left: Vec<NicRecord>,
    /// NICs that could not be asked, and why.
    pub failed: Vec<(PciAddress, Refused)>,
}

/// Ends them, those of living pods, too; what is in use is waited for.
///
/// # Errors
/// Isolation runs, and would make them anew; or a ledger or the NICs cannot be read.
pub fn clear(roots: &Roots, directory: &Path, wait: Duration) -> anyhow::Result<Cleared> {
    let addresses = ledger_file::addresses(directory);
    let mut cleared = Cleared::default();
    if addresses.is_empty() {
        return Ok(cleared);
    }
    let _lock = InstanceLock::take(directory)?;
    let now = now::nics(roots).map_err(|error| anyhow!("the NICs are not known: {error}"))?;
    let mut asked = Vec::new();
    for address in addresses {
        let file = LedgerFile::new(directory, address);
        let Some(ledger) = file.read().map_err(|error| anyhow!(error))? else {
            continue;
        };
        match now.nics.iter().find(|nic| nic.address == address) {
            Some(nic) => asked.push((nic.clone(), ledger)),
            // Its services have gone with it.
            None if now.is_complete => file.remove(),
            None => bail!("{address}: it cannot be seen"),
        }
    }
    let begun: usize = asked.iter().map(|(_, ledger)| ledger.entries.len()).sum();
    let (roots, directory) = (roots.clone(), directory.to_owned());
    let answers = asking::each(asked, wait.saturating_add(asking::PATIENCE), move |(nic, ledger)| {
        let node = Node::open(&roots, nic.cxi)?;
        let file = LedgerFile::new(&directory, nic.address);
        let mut keeper = Keeper::new(nic.address.to_string(), ledger.clone(), Box::new(file.clone()));
        end_all(&mut keeper, Commands::to(&node), &nic.life, wait);
        let left = keeper.shown();
        if left.is_empty() {
            file.remove();
        }
        Ok(left)
    });
    for ((nic, _), answer) in answers {
        match answer {
            Ok(services) if services.is_empty() => {}
            Ok(services) => cleared.left.push(NicRecord {
                address: nic.address.to_string(),
                services,
            }),
            Err(refused) => cleared.failed.push((nic.address, refused)),
        }
    }
    let left: usize = cleared.left.iter().map(|nic| nic.services.len()).sum();
    if !cleared.failed.is_empty() && left == 0 && begun == 0 {
        bail!("no NIC could be asked");
    }
    cleared.gone = begun.saturating_sub(left);
    Ok(cleared)
}

fn end_all(keeper: &mut Keeper, commands: Commands<'_>, life: &str, wait: Duration) {
    let (clock, began) = (RealClock::default(), Instant::now());
    let at = |clock: &RealClock| Moment {
        now: clock.now(),
        chance: clock.chance(),
    };
    keeper.sweep(commands, life, |_| false, at(&clock));
    while keeper.due().is_some() && began.elapsed() < wait {
        clock.wait(PACE.min(wait.saturating_sub(began.elapsed())));
        keeper.try_again(commands, life, at(&clock));
    }
}
