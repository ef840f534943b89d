//! What surrounds the NICs on a node: driver, network, CDI directories, runtimes, kubelet, our own daemon. All of it is
//! read below the root of the host's tree, each file bounded; no program is run.

mod cdi;
mod configurations;
pub mod processes;
pub mod runtimes;
pub mod units;

use std::path::{Path, PathBuf};

use self::processes::Processes;
use super::libraries::{self, Libraries};
use super::lock;
use super::roots::Roots;
use super::scan::Scanner;
use crate::doctor::facts::{self, Daemon, Driver, Facts, Kubelet, Network, Status, TextFile};
use crate::inventory::Reading;

/// Routes and addresses of a busy host.
const TABLE_LIMIT: u64 = 4 << 20;
/// Configuration files and the like.
const FILE_LIMIT: u64 = 1 << 20;
/// Parameter of the driver about the default service.
const DEFAULT_SERVICE: &str = "module/cxi_ss1/parameters/disable_default_svc";
/// What the kernel keeps of the name of our program.
const OUR_PROCESS: &str = "cxi-device-plug";
/// Where the daemon says of itself what it does.
pub const STATUS_FILE: &str = "status.json";

/// Directories of the host; kubelet's and our own are the site's choice.
#[derive(Debug, Clone)]
pub struct Places {
    /// By rising priority; the daemon's is the last.
    pub cdi: Vec<PathBuf>,
    /// Kubelet's, for device plugins.
    pub kubelet: PathBuf,
    /// The daemon's, for its own state.
    pub run: PathBuf,
}

/// Looks at everything once.
pub fn look(roots: &Roots, places: &Places) -> Facts {
    let processes = Processes::of(roots);
    let cdi: Vec<_> = places.cdi.iter().map(|path| cdi::directory(roots, path)).collect();
    Facts {
        inventory: Scanner::new(roots.clone(), Libraries::None).scan(),
        driver: driver(roots),
        libraries: of_libraries(roots),
        network: network(roots),
        missing_nodes: cdi::missing_nodes(roots, &cdi),
        cdi,
        runtimes: runtimes::all(roots, &processes),
        kubelet: Kubelet {
            directory: places.kubelet.clone(),
            entries: entries(roots, &places.kubelet),
            process: processes.path("kubelet"),
        },
        daemon: daemon(roots, &places.run, &processes),
    }
}

/// A file as it is, with its limit.
pub fn text_file(roots: &Roots, path: impl Into<PathBuf>) -> TextFile {
    let path = path.into();
    TextFile {
        text: roots.file(&path, FILE_LIMIT),
        path,
    }
}

/// A table of the kernel, which is long on a large host.
pub fn table(roots: &Roots, path: &str) -> TextFile {
    TextFile {
        path: path.into(),
        text: roots.file(Path::new(path), TABLE_LIMIT),
    }
}

/// Names in a directory, wherever its links lead on the host; none where there is no directory.
fn entries(roots: &Roots, directory: &Path) -> Reading<Vec<String>> {
    match roots.follow(directory, |_, _| {}) {
        Ok(real) => roots.names_if_there(&real),
        Err(_) => roots.names_if_there(directory),
    }
}

fn driver(roots: &Roots) -> Driver {
    let directory = roots.sysfs.join("module");
    let modules = roots.names_if_there(&directory);
    let default_service_parameter = roots.sysfs.join(DEFAULT_SERVICE);
    let parameter = roots.file(&default_service_parameter, FILE_LIMIT);
    Driver {
        modules: modules.map(|names| names.into_iter().filter(|name| name.starts_with("cxi")).collect()),
        default_service_disabled: parameter.map(|text| text.map(|text| text.trim_end().to_owned())),
        default_service_parameter,
    }
}

/// The listed ones first: what comes after their problems is about what they need.
fn of_libraries(roots: &Roots) -> facts::Libraries {
    let mut problems = Vec::new();
    let listed = libraries::find(roots, Libraries::Listed, &mut problems);
    let mut with_needs = Vec::new();
    libraries::find(roots, Libraries::ClosureAll, &mut with_needs);
    facts::Libraries {
        listed,
        missing_needs: with_needs.into_iter().skip(problems.len()).collect(),
        problems,
    }
}

fn network(roots: &Roots) -> Network {
    Network {
        routes: table(roots, "/proc/net/route"),
        routes6: table(roots, "/proc/net/ipv6_route"),
        addresses6: table(roots, "/proc/net/if_inet6"),
        cni: configurations::cni(roots),
    }
}

fn daemon(roots: &Roots, run: &Path, processes: &Processes) -> Daemon {
    let here = roots.here(&roots.resolve(run).unwrap_or_else(|_| run.to_owned()));
    let locked = lock::running(&here).map(nix::unistd::Pid::as_raw);
    let unit = units::of_daemon(roots);
    let status_file = run.join(STATUS_FILE);
    Daemon {
        // On a tree that was captured nobody holds the lock.
        pid: locked.or_else(|| processes.daemon(roots)),
        wanted_by: units::wanted_by(roots),
        unit,
        status: roots.file(&status_file, FILE_LIMIT).map(|text| status(&text?)),
        status_file,
    }
}

/// None where the text says nothing of what we know.
fn status(text: &str) -> Option<Status> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let lost = value.pointer("/sources_lost").and_then(serde_json::Value::as_array);
    let lost = lost.into_iter().flatten().filter_map(serde_json::Value::as_str);
    Some(Status {
        registered: value
            .pointer("/kubelet/registered")
            .and_then(serde_json::Value::as_bool),
        lost_sources: lost.map(str::to_owned).collect(),
    })
}
