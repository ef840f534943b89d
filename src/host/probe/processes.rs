//! Processes of the host by the kernel's names for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;

/// What the kernel keeps of the name of our program.
pub const OURS: &str = "cxi-device-plug";
/// Names that matter here.
const NAMES: [&str; 5] = ["containerd", "crio", "dockerd", "kubelet", OURS];
/// As the kernel keeps them, and room for what it should not do.
const NAME_LIMIT: u64 = 64;
/// A command line with more than this is none of ours.
const COMMAND_LIMIT: u64 = 65_536;

/// Processes of these names, each by rising number.
#[derive(Debug, Default)]
pub struct Processes(BTreeMap<&'static str, Vec<i32>>);

impl Processes {
    /// Looks once at each process.
    pub fn scan(roots: &Roots) -> Self {
        let mut found = Self::default();
        let names = roots.names(Path::new("/proc")).unwrap_or_default();
        let mut pids: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
        pids.sort_unstable();
        for pid in pids {
            let comm = roots.file(&directory(pid).join("comm"), NAME_LIMIT);
            let Ok(Some(comm)) = comm else { continue };
            if let Some(name) = NAMES.into_iter().find(|name| *name == comm.trim_end()) {
                found.0.entry(name).or_default().push(pid);
            }
        }
        found
    }

    /// The directory of the first process of this name.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name)?.first().copied().map(directory)
    }

    /// Our daemon; our other commands go by the same name.
    pub fn daemon(&self, roots: &Roots) -> Option<i32> {
        let is_daemon = |pid: &i32| {
            let command = roots.file(&directory(*pid).join("cmdline"), COMMAND_LIMIT);
            let Ok(Some(command)) = command else { return false };
            let first = command.split('\0').nth(1).unwrap_or_default();
            first.is_empty()
                || first == "run"
                || (first.starts_with('-') && !first.starts_with("--v") && first != "--help")
        };
        self.0.get(OURS)?.iter().copied().find(|pid| is_daemon(pid))
    }
}

/// What the kernel shows of a process.
pub fn directory(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}
