//! Which process is in a network namespace, by its inode number, which is all that the driver knows of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use crate::host::files::read;
use crate::host::files::roots::Roots;

/// Above the processes that a node runs.
const MOST_PROCESSES: usize = 262_144;
/// `comm` has 16 bytes.
const COMM_LIMIT: u64 = 64;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resident {
    /// Its number on the host.
    pub pid: u32,
    /// Its name by its own word.
    pub command: String,
}

/// The process of the lowest number in each of these namespaces; without those that nobody is in, or whose processes we may not
/// look at.
pub fn residents(roots: &Roots, wanted: &BTreeSet<u32>) -> BTreeMap<u32, Resident> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return found;
    }
    let proc = roots.local_path(Path::new("/proc"));
    let Ok(entries) = fs::read_dir(&proc) else {
        return found;
    };
    let names = entries.take(MOST_PROCESSES).flatten().map(|entry| entry.file_name());
    let mut pids: Vec<u32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    for pid in pids {
        if found.len() == wanted.len() {
            break;
        }
        let folder = proc.join(pid.to_string());
        let Some(netns) = of(&folder.join("ns/net")).filter(|netns| wanted.contains(netns)) else {
            continue;
        };
        found.entry(netns).or_insert_with(|| Resident {
            pid,
            command: read::text_of_kernel(&folder.join("comm"), COMM_LIMIT)
                .map(|text| text.trim_end().to_owned())
                .unwrap_or_default(),
        });
    }
    found
}

/// The number of the namespace that a file of `/proc` stands for.
pub fn of(file: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(file).ok()?.ino()).ok()
}
