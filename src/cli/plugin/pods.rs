//! Which pod holds which NIC, asked of kubelet for whoever looks at the NICs. A command does its work without it.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::terminal::output::{BAD, visible};
use crate::cli::terminal::table::{Cell, plain};
use crate::host::files::roots::RootArgs;
use crate::kubelet::pod_resources::PodResources;
use crate::model::alloc::resource::ResourceName;
use crate::model::config::settings::Settings;
use crate::model::nic::pci::PciAddress;
use crate::model::pods::{Holder, Holdings, Unlisted};

/// Where kubelet is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct PodArgs {
    /// Kubelet's socket that tells which pod holds which NIC [default: the daemon's, by the host's configuration]
    #[arg(long, value_name = "SOCKET")]
    pod_resources: Option<PathBuf>,
}

impl PodArgs {
    /// Asks kubelet once.
    pub fn ask(&self, prefix: Option<PathBuf>, settings: &Settings, resource: &ResourceName) -> Pods {
        let roots = RootArgs {
            prefix,
            ..RootArgs::default()
        };
        let usual = settings.kubelet.pod_resources.to_string_lossy();
        let socket = roots.place(self.pod_resources.as_deref(), &usual);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Pods(match runtime {
            Ok(runtime) => runtime.block_on(PodResources::new(socket).holdings(resource)),
            Err(error) => Err(Unlisted::Failed(error.to_string())),
        })
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Pods(pub Result<Holdings, Unlisted>);

/// The same for programs.
#[derive(Debug, Serialize)]
pub struct PodsReport {
    /// Why nothing is known of pods; null where it is.
    unknown: Option<String>,
    /// A NIC and a pod that holds it, each pair once.
    held: Vec<Held>,
    /// NICs that more than one pod holds, which should not be.
    conflicts: Vec<String>,
    /// Devices of the resource that are no address of a NIC.
    strange: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Held {
    nic: String,
    #[serde(flatten)]
    holder: Holder,
}

impl Pods {
    /// For programs.
    pub fn report(&self) -> PodsReport {
        let holdings = self.0.iter();
        let held = holdings.clone().flat_map(Holdings::iter).flat_map(|(nic, holders)| {
            holders.iter().map(move |holder| Held {
                nic: nic.to_string(),
                holder: holder.clone(),
            })
        });
        let conflicts = holdings.clone().flat_map(Holdings::conflicts);
        PodsReport {
            unknown: self.0.as_ref().err().map(ToString::to_string),
            held: held.collect(),
            conflicts: conflicts.map(|conflict| conflict.nic.to_string()).collect(),
            strange: holdings.flat_map(Holdings::strange).map(str::to_owned).collect(),
        }
    }

    /// The cell of a NIC in a table; none where there is no such column.
    pub fn cell(&self, address: &str) -> Option<Cell> {
        let holdings = self.0.as_ref().ok()?;
        let nic: Option<PciAddress> = address.parse().ok();
        let holders = nic.map(|nic| holdings.of(nic)).unwrap_or_default();
        let is_conflict = holdings.conflicts().iter().any(|conflict| Some(conflict.nic) == nic);
        Some(match holders {
            [] => plain("-"),
            holders if is_conflict => (BAD, named(holders)),
            holders => plain(named(holders)),
        })
    }

    /// What the table has no room for: why there is no such column, and what is held beside these NICs.
    pub fn remarks<'a>(&self, nics: impl IntoIterator<Item = &'a str>) -> String {
        let holdings = match &self.0 {
            Ok(holdings) => holdings,
            Err(reason) => return format!("pods: not known ({})\n", visible(&reason.to_string())),
        };
        let here: Vec<&str> = nics.into_iter().collect();
        let gone = holdings.iter().filter(|(nic, _)| !here.contains(&&*nic.to_string()));
        let gone = gone.map(|(nic, holders)| format!("held, and not there: {nic} by {}\n", visible(&named(holders))));
        let strange = holdings.strange();
        let strange = strange.map(|id| format!("held, and no NIC's address: {}\n", visible(id)));
        gone.chain(strange).collect()
    }

    /// A line for each NIC that is held.
    pub fn lines(&self) -> String {
        let held = self.0.iter().flat_map(Holdings::iter);
        held.map(|(nic, holders)| format!("    {nic}: {}\n", visible(&named(holders))))
            .collect()
    }
}

/// `NAMESPACE/POD/CONTAINER`, of all of them.
fn named(holders: &[Holder]) -> String {
    let names = holders.iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(", ")
}
