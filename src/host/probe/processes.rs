//! Processes of the host by the kernel's names for them, as far as they are the system's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::text_files::FILE_LIMIT;
use super::units;
use crate::host::files::instance::COMM;
use crate::host::files::roots::Roots;
use crate::model::doctor::process::{SystemProcess, system_unit};

/// Names that matter here.
const NAMES: [&str; 5] = ["containerd", "crio", "dockerd", "kubelet", COMM];
/// As the kernel keeps them, and room for what it should not do.
const NAME_LIMIT: u64 = 64;
/// A command line with more than this is none of ours.
const COMMAND_LIMIT: u64 = 65_536;

/// Processes of these names, each by rising number.
#[derive(Debug, Default)]
pub struct Processes(BTreeMap<&'static str, Vec<(i32, SystemProcess)>>);

impl Processes {
    /// Looks once at each process.
    pub fn scan(roots: &Roots) -> Self {
        let mut found = Self::default();
        let names = roots.names(Path::new("/proc")).unwrap_or_default();
        let mut pids: Vec<i32> = names.iter().filter_map(|name| name.parse().ok()).collect();
        pids.sort_unstable();
        for pid in pids {
            let path = directory(pid);
            let text = |name: &str, limit: u64| roots.file(&path.join(name), limit).ok().flatten();
            let Some(comm) = text("comm", NAME_LIMIT) else { continue };
            let Some(name) = NAMES.into_iter().find(|name| *name == comm.trim_end()) else {
                continue;
            };
            let texts = text("status", FILE_LIMIT).zip(text("cgroup", FILE_LIMIT));
            if let Some(unit) = texts.and_then(|(status, cgroup)| system_unit(&status, &cgroup)) {
                let process = SystemProcess { path, unit };
                found.0.entry(name).or_default().push((pid, process));
            }
        }
        found
    }

    /// The first process of this name.
    pub fn first(&self, name: &str) -> Option<&SystemProcess> {
        self.0.get(name)?.first().map(|(_, process)| process)
    }

    /// Our daemon; our other commands go by the same name.
    pub fn daemon(&self, roots: &Roots) -> Option<i32> {
        let is_daemon = |process: &SystemProcess| {
            let command = roots.file(&process.path.join("cmdline"), COMMAND_LIMIT);
            let Ok(Some(command)) = command else { return false };
            let first = command.split('\0').nth(1).unwrap_or_default();
            let is_run = first.is_empty()
                || first == "run"
                || (first.starts_with('-') && !first.starts_with("--v") && first != "--help");
            is_run && process.unit == units::OURS
        };
        let mut ours = self.0.get(COMM)?.iter();
        ours.find(|(_, process)| is_daemon(process)).map(|(pid, _)| *pid)
    }
}

/// What the kernel shows of a process.
pub fn directory(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}
