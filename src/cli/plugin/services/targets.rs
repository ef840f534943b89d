//! The NICs that a command is about, and how each is asked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use crate::cli::plugin::node_args::NodeArgs;
use crate::cli::plugin::node_view;
use crate::host::device::asking;
use crate::host::device::commands::Commands;
use crate::host::device::node::Node;
use crate::host::files::roots::Roots;
use crate::model::nic::attributes::{CxiName, Function};
use crate::model::nic::inventory::Nic;
use crate::model::nic::selection;
use crate::model::services::admission::Asker;
use crate::model::services::default_service::Life;
use crate::model::services::refused::Refused;
use crate::model::status::NicStatus;

/// A NIC that can be asked.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) cxi: CxiName,
    pub(super) netdev: Option<String>,
    /// All its names, for people.
    pub(super) called: String,
    pub(super) is_physical: bool,
    /// None where sysfs does not tell one life from the next.
    pub(super) life: Option<Life>,
}

/// The NICs of the node.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) roots: Roots,
    /// Those that have a device node by their driver's word.
    pub(super) all: Vec<Target>,
    statuses: Vec<NicStatus>,
    /// The daemon's own directory.
    pub(super) run_dir: PathBuf,
    /// Whose pod is asked about.
    pub(super) pod: Asker,
    /// How long the end of a service may be refused before that is news.
    pub(super) lingers_after: Duration,
}

impl Targets {
    /// Looks at the node.
    pub(super) fn find(args: &NodeArgs) -> anyhow::Result<Self> {
        let node = args.configured()?;
        let inventory = node_view::inventory(&node)?;
        let statuses = node_view::statuses(&inventory, &node.settings);
        let both = inventory.nics.iter().zip(&statuses);
        Ok(Self {
            roots: Roots::new(&node.roots)?,
            all: both.filter_map(|(nic, status)| target(nic, status)).collect(),
            statuses,
            run_dir: node.run_dir,
            pod: node.settings.cxi_service.pod,
            lingers_after: node.settings.cxi_service.lingers_after,
        })
    }

    /// Those of these names; each once.
    pub(super) fn named(&self, names: &[String]) -> anyhow::Result<Vec<Target>> {
        let mut found: Vec<Target> = Vec::new();
        for name in names {
            let status = selection::find(name, &self.statuses)?;
            let Some(target) = self.all.iter().find(|target| target.address == status.address) else {
                bail!(
                    "{} has no device node: cxi-device-plugin explain {}",
                    status.called(),
                    status.address
                );
            };
            if !found.iter().any(|known| known.address == target.address) {
                found.push(target.clone());
            }
        }
        Ok(found)
    }

    /// Those of these names, or every physical function: virtual ones have no default service of their own.
    pub(super) fn named_or_all(&self, names: &[String]) -> anyhow::Result<Vec<Target>> {
        if names.is_empty() {
            Ok(self.all.iter().filter(|target| target.is_physical).cloned().collect())
        } else {
            self.named(names)
        }
    }

    /// Asks them all at once, each by its own node.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        targets: Vec<Target>,
        patience: Duration,
        ask: impl Fn(Commands<'_>, &Target) -> Result<T, Refused> + Clone + Send + 'static,
    ) -> Vec<(Target, Result<T, Refused>)> {
        let roots = self.roots.clone();
        asking::each(targets, patience, move |target: &Target| {
            let node = Node::open(&roots, target.cxi)?;
            ask(Commands::to(&node), target)
        })
    }
}

fn target(nic: &Nic, status: &NicStatus) -> Option<Target> {
    let cxi = nic.cxi.as_ref().ok()?;
    Some(Target {
        address: nic.address.to_string(),
        cxi: *cxi,
        netdev: status.netdev.clone(),
        called: status.called(),
        is_physical: nic.function == Function::Physical,
        life: nic.life(),
    })
}
