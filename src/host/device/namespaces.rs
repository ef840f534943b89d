//! Which process is in a network namespace, by its inode number, which is all that the driver knows of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{CLONE_NEWNET, O_CLOEXEC, O_NOCTTY, O_NONBLOCK};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use serde::Serialize;

use super::ns_type;

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

/// An open network namespace: as long as it is, its number is nobody else's.
#[derive(Debug)]
pub struct OpenNetns {
    /// The file.
    pub file: File,
    /// Its number.
    pub inode: u32,
}

/// Opens a network namespace by its path.
///
/// # Errors
/// It is not there, or is something else.
pub fn open(path: &Path) -> io::Result<OpenNetns> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        .open(path)?;
    opened(file)
}

/// The same of a file that is open.
///
/// # Errors
/// It is something else.
pub fn opened(file: File) -> io::Result<OpenNetns> {
    let is_netns = fstatfs(&file)?.filesystem_type() == NSFS_MAGIC && ns_type::of(file.as_fd())? == CLONE_NEWNET;
    let inode = u32::try_from(file.metadata()?.ino()).map_err(io::Error::other)?;
    if is_netns {
        Ok(OpenNetns { file, inode })
    } else {
        Err(io::Error::other("not a network namespace"))
    }
}

/// Whether this namespace is not kept there any more. What cannot be seen may be.
pub fn is_gone(path: &Path, inode: u32) -> bool {
    match fs::metadata(path) {
        Ok(there) => there.ino() != u64::from(inode),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The number of the namespace that a file of `/proc` stands for.
pub fn of(file: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(file).ok()?.ino()).ok()
}
