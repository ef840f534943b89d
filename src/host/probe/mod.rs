//! What surrounds the NICs on a node: driver, network, CDI directories, runtimes, kubelet, our own daemon. All of it is
//! read below the root of the host's tree, each file bounded; no program is run.

mod cdi;
pub mod configurations;
pub mod processes;
pub mod runtimes;
pub mod text_files;
pub mod units;
mod uppers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;

use self::processes::Processes;
use self::text_files::{FILE_LIMIT, entries, table};
use super::clock;
use super::containers::of_pods;
use super::files::instance::{self, Life};
use super::files::roots::Roots;
use super::libraries;
use super::nics::cordons;
use super::nics::scan::Scanner;
use super::nics::scan_options::ScanOptions;
use super::nics::services_now;
use crate::model::doctor::facts::{self, DaemonFacts, DriverFacts, KubeletFacts, NetworkFacts, NodeFacts};
use crate::model::health::{Evidence, HealthPolicy};
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::inventory::Nic;
use crate::model::nic::numa::NumaTable;
use crate::model::nic::selection::Selection;
use crate::model::pods::{Holdings, Unlisted};
use crate::model::reading::{ReadError, Reading};
use crate::model::status::{self, Status};
use crate::model::unit_sandbox::Need;

/// Parameter of the driver about the default service.
const DEFAULT_SERVICE: &str = "module/cxi_ss1/parameters/disable_default_svc";

/// What the site has chosen, its directories as the host has them.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which NICs.
    pub selection: Selection,
    /// NUMA nodes by its own word.
    pub numa: NumaTable,
    /// Whether each pod is to get a service of its own.
    pub isolation: bool,
    /// What its conditions do.
    pub policy: HealthPolicy,
    /// How long the end of a service may be refused before that is news.
    pub lingers_after: Duration,
    /// Which libraries containers get; the host needs none where they get none.
    pub libraries: LibraryMode,
    /// Places that the daemon is told of.
    pub needs: Vec<Need>,
    /// What is wrong with our configuration.
    pub problems: Vec<Evidence>,
    /// By rising priority; the daemon's is the last.
    pub cdi: Vec<PathBuf>,
    /// The variable in which kubelet's answers name NICs.
    pub variable: String,
    /// Kubelet's, for device plugins.
    pub kubelet: PathBuf,
    /// The daemon's, for its own state.
    pub run: PathBuf,
}

/// Looks at everything once.
///
/// Of pods it takes what kubelet has said to somebody else.
pub fn look(roots: &Roots, site: &Site, pods: Result<Holdings, Unlisted>) -> NodeFacts {
    let processes = Processes::scan(roots);
    let cdi: Vec<_> = site.cdi.iter().map(|path| cdi::directory(roots, path)).collect();
    let run_dir = local_directory(roots, &site.run);
    let cordons = cordons::directory(&run_dir);
    let options = ScanOptions::from(LibraryMode::None)
        .with_numa(site.numa.clone())
        .with_isolation(site.isolation);
    let mut inventory = Scanner::new(roots.clone(), options).with_cordons(cordons).scan();
    if let Ok(inventory) = &mut inventory {
        services_now::ask(roots, &run_dir, site.lingers_after, &mut inventory.nics);
    }
    let nics = inventory.as_ref().map_or(&[][..], |inventory| &inventory.nics);
    let network = network(roots, nics);
    let containers = of_pods::survey(roots, nics, &site.variable);
    NodeFacts {
        containers,
        pods,
        unix_seconds: clock::unix_seconds(),
        selection: site.selection.clone(),
        policy: site.policy.clone(),
        configuration_problems: site.problems.clone(),
        inventory,
        driver: driver(roots),
        libraries: library_facts(roots, site),
        network,
        missing_nodes: cdi::missing_nodes(roots, &cdi),
        cdi,
        runtimes: runtimes::all(roots, &processes),
        kubelet: KubeletFacts {
            directory: site.kubelet.clone(),
            entries: entries(roots, &site.kubelet),
            process: processes.first("kubelet").cloned(),
        },
        daemon: daemon(roots, site, &processes),
    }
}

/// Where we find a directory of the host, wherever its links lead there.
fn local_directory(roots: &Roots, directory: &Path) -> PathBuf {
    roots.local_path(&roots.resolve(directory).unwrap_or_else(|_| directory.to_owned()))
}

fn driver(roots: &Roots) -> DriverFacts {
    let directory = roots.sysfs.join("module");
    let modules = roots.names_if_there(&directory);
    let default_service_parameter = roots.sysfs.join(DEFAULT_SERVICE);
    let parameter = roots.file(&default_service_parameter, FILE_LIMIT);
    DriverFacts {
        modules: modules.map(|names| names.into_iter().filter(|name| name.starts_with("cxi")).collect()),
        default_service_disabled: parameter.map(|text| text.map(|text| text.trim_end().to_owned())),
        default_service_parameter,
    }
}

fn library_facts(roots: &Roots, site: &Site) -> facts::LibraryFacts {
    if site.libraries == LibraryMode::None {
        return facts::LibraryFacts::default();
    }
    let with_needs = libraries::find(roots, LibraryMode::ClosureAll, &[]);
    // What containers get of these is what others have to read.
    let given = libraries::find_with_choices(roots, site.libraries, &[]);
    facts::LibraryFacts {
        listed: with_needs.libraries,
        choices: given.choices,
        problems: given.problems,
        restricted: given.restricted,
        missing_needs: with_needs.needs,
    }
}

fn network(roots: &Roots, nics: &[Nic]) -> NetworkFacts {
    NetworkFacts {
        above: uppers::above(roots, nics.iter().flat_map(Nic::interfaces)),
        routes: table(roots, "/proc/net/route"),
        routes6: table(roots, "/proc/net/ipv6_route"),
        addresses6: table(roots, "/proc/net/if_inet6"),
        cni: configurations::cni(roots),
    }
}

fn daemon(roots: &Roots, site: &Site, processes: &Processes) -> DaemonFacts {
    let run = &site.run;
    let here = local_directory(roots, run);
    let life = instance::life(&here);
    let unit = units::daemon_unit(roots);
    let status_file = run.join(status::FILE);
    DaemonFacts {
        // On a tree that was captured nobody holds the lock.
        pid: life.pid().map(Pid::as_raw).or_else(|| processes.daemon(roots)),
        unseen: match life {
            Life::Unknown(reason) => Some(reason),
            Life::Runs(_) | Life::Stopped => None,
        },
        unit_files: units::with_dropins(roots, units::OURS),
        needs: site.needs.clone(),
        wanted_by: units::wanted_by(roots),
        unit,
        status: instance::record(&here)
            .map_err(|error| ReadError::new(&status_file, error))
            .and_then(|text| record(&status_file, text)),
        status_file,
    }
}

/// None where there is no text.
fn record(file: &Path, text: Option<String>) -> Reading<Option<Status>> {
    let parsed = |text: String| serde_json::from_str(&text).map_err(|error| ReadError::new(file, error));
    text.map(parsed).transpose()
}
