//! A place to run `cxi-cdi-generator`: an emulated node with a CDI directory beside it, and what its specs say.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cxi_device_plugin::model::cdi::model::{CdiDevice, Spec};
use cxi_sim::node::{Kind, NicSpec, Node};
use tempfile::TempDir;

use super::{Generator, Output, scratch};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cxi-cdi-generator");
pub const FIRST: &str = "0000:21:00.0";
pub const SECOND: &str = "0000:61:00.0";
pub const THIRD: &str = "0000:a1:00.0";

/// An emulated node, and a CDI directory that is not there yet.
pub struct GeneratorFixture {
    pub folder: TempDir,
    pub node: Node,
}

impl GeneratorFixture {
    pub fn new(nics: &[NicSpec]) -> Self {
        let folder = scratch();
        let node = Node::create(folder.path().join("node"), nics).unwrap();
        Self { folder, node }
    }

    pub fn one() -> Self {
        Self::new(&[nic(FIRST)])
    }

    /// With a CDI directory that holds these files.
    pub fn with_files(self, files: &[(&str, &str)]) -> Self {
        fs::create_dir(self.cdi()).unwrap();
        for (name, text) in files {
            fs::write(self.cdi().join(name), text).unwrap();
        }
        self
    }

    pub fn cdi(&self) -> PathBuf {
        self.folder.path().join("cdi")
    }

    pub fn file(&self, suffix: &str) -> PathBuf {
        self.cdi().join(format!("hpe.com-cxi.{suffix}"))
    }

    pub fn host(&self, path: &str) -> PathBuf {
        self.node.root().join(path)
    }

    pub fn sysfs(&self, pci: &str) -> PathBuf {
        self.host("sys/bus/pci/devices").join(pci)
    }

    pub fn generator(&self) -> Generator {
        Generator::below(self.node.root())
    }

    /// The program on this node with a subcommand.
    pub fn generator_of(&self, subcommand: &str) -> Generator {
        let mut generator = Generator::new();
        generator.arg(subcommand).arg("--root").arg(self.node.root());
        generator
    }

    /// Writes the spec with these further arguments.
    pub fn write<const N: usize>(&self, args: [&str; N]) -> Output {
        self.generator().args(args).write_to(&self.cdi())
    }

    /// Prints the spec with these further arguments.
    pub fn say<const N: usize>(&self, args: [&str; N]) -> Output {
        let output = self.generator().args(args).arg("--dry-run").output();
        assert_eq!(output.code, 0, "{output:?}");
        output
    }

    /// The spec with these further arguments.
    pub fn spec<const N: usize>(&self, args: [&str; N]) -> Spec {
        yaml(&self.say(args).stdout)
    }

    /// The program as a command of our own, writing into the CDI directory.
    pub fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--root").arg(self.node.root());
        command.arg("--cdi-dir").arg(self.cdi());
        command
    }

    /// The program behind commands of the shell.
    pub fn after_shell(&self, before: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$@\""), "sh", PROGRAM]);
        command.arg("--root").arg(self.node.root());
        command.arg("--cdi-dir").arg(self.cdi());
        command.output().unwrap().into()
    }

    /// The program's output, or a failed test instead of a test that never ends.
    pub fn without_hanging(&self) -> Output {
        let child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(Duration::from_secs(20)) else {
            nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
            panic!("the program hangs");
        };
        output.unwrap().into()
    }

    pub fn has_no_cdi_directory(&self) -> bool {
        !self.cdi().exists()
    }
}

pub fn nic(pci: &str) -> NicSpec {
    NicSpec::new(Kind::Cassini1).pci(pci)
}

pub fn yaml(text: &str) -> Spec {
    serde_saphyr::from_str(text).unwrap()
}

pub fn yaml_file(path: &Path) -> Spec {
    yaml(&fs::read_to_string(path).unwrap())
}

pub fn names(spec: &Spec) -> Vec<&str> {
    spec.devices.iter().map(|device| device.name.as_str()).collect()
}

pub fn device<'a>(spec: &'a Spec, name: &str) -> &'a CdiDevice {
    spec.devices
        .iter()
        .find(|device| device.name == name)
        .unwrap_or_else(|| panic!("{name} in {spec:?}"))
}

/// The nodes that a container gets with this device.
pub fn nodes(spec: &Spec, name: &str) -> Vec<String> {
    let edits = &device(spec, name).container_edits;
    edits.device_nodes.iter().map(|node| node.host_path.clone()).collect()
}

/// Where on the host the mounts come from, each once.
pub fn mounted(spec: &Spec) -> BTreeSet<&str> {
    let mounts = spec.container_edits.mounts.iter();
    mounts.map(|mount| mount.host_path.as_str()).collect()
}

pub fn targets(spec: &Spec) -> Vec<&str> {
    let mounts = spec.container_edits.mounts.iter();
    mounts.map(|mount| mount.container_path.as_str()).collect()
}

pub fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

/// What stays the same when a file is not touched.
pub fn identity(path: &Path) -> (u64, i64, i64, u32) {
    let metadata = path.metadata().unwrap();
    (
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.mode() & 0o7777,
    )
}
