//! What the tests of the two programs share.
#![allow(dead_code, reason = "no test file uses everything")]

pub mod cc;
pub mod changes;
pub mod cri;
pub mod daemon;
pub mod doctor_fixture;
pub mod generator_fixture;
pub mod hang;
pub mod mounts;
pub mod network;
pub mod numbered;
pub mod pod_resources;
pub mod raw_answer;
pub mod raw_kubelet;
pub mod skip;
pub mod stand_ins;
pub mod tracer;

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::str::FromStr;
use std::time::Duration;

use cxi_device_plugin::model::alloc::snapshot::Snapshot;
use cxi_device_plugin::model::alloc::strategy::Strategy;
use cxi_device_plugin::model::cdi::render::Policy;
use cxi_device_plugin::model::health::history::NicHistories;
use cxi_device_plugin::model::health::{Engine, HealthPolicy, Moment};
use cxi_device_plugin::model::nic::inventory::Inventory;
use cxi_sim::node::{NicSpec, Node, Variant};
use tempfile::TempDir;

/// An emulated node in a folder that goes with the first value.
pub fn node(nics: &[NicSpec]) -> (TempDir, Node) {
    let folder = scratch();
    let node = Node::create(folder.path().join("node"), nics).unwrap();
    (folder, node)
}

/// What is published of a node that is looked at for the first time.
pub fn snapshot(inventory: &Inventory) -> Snapshot {
    let moment = Moment {
        since_start: Duration::ZERO,
        unix_seconds: 0,
    };
    let health = Engine::new(HealthPolicy::default(), NicHistories::new()).judge(&inventory.nics, moment);
    Snapshot::new(inventory, &Policy::default(), Strategy::default(), health)
}

/// The NICs of a variant, moved to a PCI domain and to numbers of their own.
pub fn apart(variant: Variant, domain: u32) -> Vec<NicSpec> {
    let place = |(index, nic): (usize, NicSpec)| {
        let index = u32::try_from(index).unwrap();
        // A VF stays on the slot of the PF before it.
        let address = if nic.kind.is_vf() {
            format!("{domain:04x}:{:02x}:00.1", 0x21 + index - 1)
        } else {
            format!("{domain:04x}:{:02x}:00.0", 0x21 + index)
        };
        let number = domain * 10 + nic.cxi.unwrap_or(index);
        let netdev = nic.netdev.clone().unwrap_or_else(|| format!("hsn{index}"));
        let named = nic.clone().pci(address).cxi(number);
        if nic.has(Variant::V10) {
            named
        } else {
            named.netdev(format!("{netdev}d{domain}"))
        }
    };
    variant.nics().into_iter().enumerate().map(place).collect()
}

/// A folder in memory where there is such a place: the tests write many small files.
pub fn scratch() -> TempDir {
    let folder = cxi_sim::node::scratch_dir().unwrap();
    // As directories of a host are: what others may not pass is worth a warning.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

/// One line that is seen even when a test passes: the figures and seeds of random runs.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A number that says which or how many random cases a test runs.
pub fn setting<T: FromStr>(name: &str) -> Option<T>
where
    T::Err: Display,
{
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<process::Output> for Output {
    fn from(output: process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A run of `cxi-cdi-generator`.
pub struct Generator(Command);

impl Generator {
    /// Without any roots.
    pub fn new() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-cdi-generator"));
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
            command.env_remove(variable);
        }
        Self(command)
    }

    /// On the emulated node at `top` as a host whose tree is mounted there.
    pub fn below(top: &Path) -> Self {
        let mut generator = Self::new();
        generator.arg("--root").arg(top);
        generator
    }

    /// On the emulated node at `top` as a host that keeps its things there.
    pub fn at(top: &Path) -> Self {
        let mut generator = Self::new();
        generator
            .env("SYSFS_ROOT", top.join("sys"))
            .env("DEVFS_ROOT", top.join("dev"));
        generator
            .env("OFI_ROOT", top.join("opt/cray/lib64"))
            .env("CXI_ROOT", top.join("usr/lib64"));
        generator
    }

    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(arg);
        self
    }

    pub fn args<const N: usize>(&mut self, args: [&str; N]) -> &mut Self {
        self.0.args(args);
        self
    }

    pub fn env(&mut self, key: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.0.env(key, value);
        self
    }

    pub fn output(&mut self) -> Output {
        self.0.output().unwrap().into()
    }

    /// The spec as printed by `--dry-run`.
    pub fn dry_run(&mut self) -> String {
        let output = self.arg("--dry-run").output();
        assert_eq!(output.code, 0, "{output:?}");
        output.stdout
    }

    /// Writes the spec into `directory`.
    pub fn write_to(&mut self, directory: &Path) -> Output {
        self.arg("--cdi-dir").arg(directory).output()
    }
}

/// Every entry of a folder with its kind, mode, inode and content: what a crash or a bad run must not change.
pub fn listing(folder: &Path) -> Vec<(PathBuf, u32, u64, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_file() {
                std::fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            (path, metadata.mode(), metadata.ino(), content)
        })
        .collect();
    entries.sort();
    entries
}
