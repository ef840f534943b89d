//! The containers of pods on this host, each by one of its processes: what NICs they hold, and what they were given. Bounded in
//! number and time, as there may be thousands, and each may make a look at it hang.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::process::{Process, ProcessError};
use crate::host::files::patience::{self, Patience};
use crate::host::files::roots::Roots;
use crate::host::files::untrusted::Place;
use crate::model::container::{PodContainer, PodContainers, parse};
use crate::model::nic::inventory::Nic;
use crate::model::reading::ReadError;

/// The kernel writes it, a line for each hierarchy.
const CGROUP_LIMIT: u64 = 65_536;
/// Containers that are looked into; kubelet itself runs no more than 110 pods by default.
const CONTAINERS: usize = 512;
/// Those that hang and are left behind, each with a thread.
const HANGING: usize = 4;
/// For all of them.
const IN_ALL: Duration = Duration::from_secs(5);
/// For each of them.
const EACH: Patience = Patience {
    at_one_place: Duration::from_millis(500),
    in_all: Duration::from_secs(1),
};

/// Looks at all of them. `variable` is where kubelet's answers name NICs.
pub fn survey(host: &Roots, nics: &[Nic], variable: &str) -> PodContainers {
    let (began, mut found, mut namespaces, mut hanging) =
        (Instant::now(), PodContainers::default(), BTreeSet::new(), Vec::new());
    for pid in pids(host) {
        let Some(cgroup) = cgroup_of_pod(host, pid) else {
            continue;
        };
        // A container's processes have one mount namespace, and nobody else has it.
        let namespace = match mount_namespace(host, pid) {
            Ok(Some(namespace)) => namespace,
            Ok(None) => continue,
            Err(read_error) => {
                found.unseen.get_or_insert(read_error);
                continue;
            }
        };
        if !namespaces.insert(namespace) {
            continue;
        }
        if found.containers.len() == CONTAINERS || hanging.len() == HANGING || began.elapsed() >= IN_ALL {
            found.is_cut = true;
            break;
        }
        match look(host, nics, pid, variable, cgroup) {
            Ok(container) => found.containers.push(container),
            Err(Unlooked::Ended) => {}
            Err(Unlooked::Hangs(read_error)) => hanging.push(read_error),
            Err(Unlooked::Failed(read_error)) => drop(found.unseen.get_or_insert(read_error)),
        }
    }
    found.hanging = hanging;
    found
}

/// Why there is nothing to be said of a container.
enum Unlooked {
    /// It is over.
    Ended,
    Hangs(ReadError),
    Failed(ReadError),
}

fn look(host: &Roots, nics: &[Nic], pid: u32, variable: &str, cgroup: String) -> Result<PodContainer, Unlooked> {
    let place = Place::default();
    let (host, nics, variable, seen) = (host.clone(), nics.to_vec(), variable.to_owned(), place.clone());
    let looked = patience::within_at_most(EACH, &place, move || {
        let process = Process::find(&host, pid, &seen)?;
        let given = process.given(&nics, &variable);
        // What was read of a process that has ended means nothing.
        process.still_there()?;
        Ok((process.command, given))
    });
    let unread = |reason: String| ReadError::new(folder(pid), reason);
    match looked {
        Err(hung) => Err(Unlooked::Hangs(unread(hung.to_string()))),
        Ok(Err(ProcessError::None(_) | ProcessError::Ended(_))) => Err(Unlooked::Ended),
        Ok(Err(error)) => Err(Unlooked::Failed(unread(error.to_string()))),
        Ok(Ok((command, given))) => Ok(PodContainer {
            pid,
            command,
            cgroup,
            given,
        }),
    }
}

/// By rising number: the first process of a container is the one that it was started with.
fn pids(host: &Roots) -> Vec<u32> {
    let names = host.names(Path::new("/proc")).unwrap_or_default();
    let mut pids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

fn cgroup_of_pod(host: &Roots, pid: u32) -> Option<String> {
    let text = host.bytes(&folder(pid).join("cgroup"), CGROUP_LIMIT).ok()?;
    parse::cgroup_of_pod(&String::from_utf8(text).ok()?).map(str::to_owned)
}

/// None where the process has ended.
fn mount_namespace(host: &Roots, pid: u32) -> Result<Option<PathBuf>, ReadError> {
    host.link_target(&folder(pid).join("ns/mnt"))
}

fn folder(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}
