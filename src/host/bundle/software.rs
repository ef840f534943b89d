//! What surrounds the NICs, each file reduced to what matters here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::collection::{Collection, Entry};
use crate::host::files::instance::COMM;
use crate::host::files::read;
use crate::host::files::roots::Roots;
use crate::host::libraries;
use crate::host::libraries::closure;
use crate::host::probe::text_files::text_file;
use crate::host::probe::{self, Site, configurations, processes};
use crate::model::doctor::facts::{CdiDirectoryFacts, NodeFacts, Runtime, TextFile};
use crate::model::doctor::redact;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::libs::loader::Candidate;
use crate::model::reading::{ReadError, Reading};
use crate::model::runtime::places::RuntimeKind;

/// Our own configuration.
const CONFIGURATION: &str = "/etc/cxi-device-plugin";
/// What the node runs.
const SYSTEM: [&str; 2] = ["/etc/os-release", "/proc/sys/kernel/osrelease"];
/// Where the loader finds libraries.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
const LOADER_CACHE_LIMIT: u64 = 4 << 20;
/// Of a file that should be a library and is none, enough to see that.
const BROKEN_BYTES: usize = 64;

pub fn collect(collection: &mut Collection, facts: &NodeFacts, site: &Site) {
    network(collection, facts);
    for directory in &facts.cdi {
        cdi(collection, directory);
    }
    for runtime in &facts.runtimes {
        collect_runtime(collection, runtime);
    }
    kubelet(collection, facts);
    daemon(collection, facts, site);
    for path in SYSTEM {
        let file = text_file(collection.roots, path);
        plain(collection, &file, str::to_owned);
    }
    collect_libraries(collection, facts);
}

fn plain(collection: &mut Collection, file: &TextFile, reduce: impl Fn(&str) -> String) {
    collection.text(&file.path, None, &file.text, reduce);
}

fn network(collection: &mut Collection, facts: &NodeFacts) {
    let nics = facts.inventory.iter().flat_map(|inventory| &inventory.nics);
    let netdevs = nics.filter_map(|nic| Some(nic.netdev.as_ref().ok()?.as_ref()?.name.as_str()));
    let netdevs: Vec<&str> = netdevs.collect();
    let network = &facts.network;
    for file in [&network.routes, &network.routes6, &network.addresses6] {
        // Under its own path: /proc/net is a link to what is ours.
        if let Some(text) = file.known() {
            let bytes = redact::keep_netdevs(text, &netdevs).into_bytes();
            collection.put(file.path.clone(), Entry::File { mode: 0o444, bytes });
        }
    }
    for file in network.cni.iter().flatten() {
        plain(collection, file, redact::cni);
    }
}

fn cdi(collection: &mut Collection, directory: &CdiDirectoryFacts) {
    collection.directory(&directory.path);
    for file in directory.files.iter().flatten() {
        let mode = directory.modes.iter().find(|(path, _)| *path == file.path);
        let here = collection
            .roots
            .resolve(&file.path)
            .map(|real| collection.roots.local_path(&real));
        let text = here.and_then(|here| read::text_by_link(&here).map_err(|reason| ReadError::new(&file.path, reason)));
        // What is no text is refused by readers, and so is what stands in for it.
        let text: Reading<Option<String>> = Ok(Some(text.unwrap_or_default()));
        collection.text(&file.path, mode.map(|(_, mode)| *mode), &text, redact::spec);
    }
}

fn collect_runtime(collection: &mut Collection, runtime: &Runtime) {
    if !runtime.seen.starts_with("/proc") {
        collection.stand_in(&runtime.seen);
    }
    for file in &runtime.configuration {
        match runtime.kind {
            RuntimeKind::Containerd => plain(collection, file, redact::containerd),
            RuntimeKind::Crio => plain(collection, file, redact::crio),
            RuntimeKind::Docker => plain(collection, file, redact::docker),
        }
    }
    if let Some(limits) = &runtime.limits {
        plain(collection, limits, str::to_owned);
        if let Some(process) = limits.path.parent() {
            identity(collection, process);
        }
    }
    for file in &runtime.unit {
        plain(collection, file, redact::unit);
    }
}

/// By which a process is known to be the system's.
fn identity(collection: &mut Collection, process: &Path) {
    for name in ["comm", "cgroup"] {
        let file = text_file(collection.roots, process.join(name));
        plain(collection, &file, str::to_owned);
    }
    let status = text_file(collection.roots, process.join("status"));
    plain(collection, &status, redact::process_status);
}

fn kubelet(collection: &mut Collection, facts: &NodeFacts) {
    for name in facts.kubelet.entries.iter().flatten() {
        collection.stand_in(&facts.kubelet.directory.join(name));
    }
    if let Some(process) = &facts.kubelet.process {
        identity(collection, &process.path);
    }
}

fn daemon(collection: &mut Collection, facts: &NodeFacts, site: &Site) {
    let daemon = &facts.daemon;
    if let Some(pid) = daemon.pid {
        process(collection, pid);
    }
    for unit in daemon.unit.iter().filter(|_| !daemon.is_masked()) {
        let file = text_file(collection.roots, unit.clone());
        plain(collection, &file, redact::unit);
    }
    let links = probe::units::links(collection.roots);
    for (link, target) in links {
        collection.put(link, Entry::Link { target });
    }
    for name in [crate::model::status::FILE, "health.json"] {
        let file = text_file(collection.roots, site.run.join(name));
        plain(collection, &file, str::to_owned);
    }
    for file in configurations::own(collection.roots, Path::new(CONFIGURATION)) {
        plain(collection, &file, redact::configuration);
    }
}

/// That it runs: the lock that tells is not held in a copy.
fn process(collection: &mut Collection, pid: i32) {
    let process = processes::directory(pid);
    let command = text_file(collection.roots, process.join("cmdline"));
    let comm = format!("{COMM}\n");
    let status = format!("Uid:\t0\t0\t0\t0\nNSpid:\t{pid}\n");
    let cgroup = format!("0::/system.slice/{}\n", probe::units::OURS);
    for (name, text) in [
        ("comm", comm.as_str()),
        ("cmdline", command.known().unwrap_or_default()),
        ("status", &status),
        ("cgroup", &cgroup),
    ] {
        let bytes = text.as_bytes().to_vec();
        collection.put(process.join(name), Entry::File { mode: 0o444, bytes });
    }
}

/// The links that lead to the libraries, and what should be one and is none. The libraries themselves stay where they are.
fn collect_libraries(collection: &mut Collection, facts: &NodeFacts) {
    for path in library_paths(collection.roots) {
        collection.place(&path);
    }
    // Those that not everybody may pass.
    for restricted in &facts.libraries.restricted {
        collection.directory(&restricted.path);
    }
    for problem in facts
        .libraries
        .problems
        .iter()
        .filter(|problem| problem.path.is_absolute())
    {
        let Some(real) = collection.place(&problem.path) else {
            continue;
        };
        if let Ok(mut bytes) = collection.roots.bytes(&real, BROKEN_BYTES as u64) {
            bytes.truncate(BROKEN_BYTES);
            collection.put(real, Entry::File { mode: 0o755, bytes });
        }
    }
    let cache = Path::new(LOADER_CACHE);
    if let Ok(bytes) = collection.roots.bytes(cache, LOADER_CACHE_LIMIT)
        && let Some(real) = collection.place(cache)
    {
        collection.put(real, Entry::File { mode: 0o644, bytes });
    }
}

/// A library as far as loaders go by it.
#[derive(Debug, Serialize)]
pub struct StoredLibrary {
    file: PathBuf,
    mode: u32,
    soname: Option<String>,
    needed: Vec<String>,
    rpath: Vec<String>,
    runpath: Option<Vec<String>>,
}

/// Paths of libfabric and libcxi, of all that they need, and of those that were passed over.
fn library_paths(roots: &Roots) -> Vec<PathBuf> {
    let found = libraries::find(roots, LibraryMode::ClosureAll, &[]);
    let taken = found.libraries.into_iter();
    let mut paths: Vec<PathBuf> = taken
        .flat_map(|library| [library.paths, vec![library.file]].concat())
        .collect();
    for choice in &found.choices {
        let others = choice.passed_over.iter();
        paths.extend(others.map(|other| other.directory.join(choice.soname)));
    }
    paths
}

/// Each of them once.
pub fn libraries(roots: &Roots) -> Vec<StoredLibrary> {
    let paths = library_paths(roots);
    let files: BTreeSet<PathBuf> = paths.iter().filter_map(|path| roots.resolve(path).ok()).collect();
    let stored = files.into_iter().filter_map(|file| {
        let Candidate::Library(object) = closure::look(roots, &file) else {
            return None;
        };
        Some(StoredLibrary {
            mode: roots.look(&file).ok().flatten()?.st_mode & 0o7777,
            file,
            soname: object.soname,
            needed: object.needed,
            rpath: object.rpath,
            runpath: object.runpath,
        })
    });
    stored.collect()
}
