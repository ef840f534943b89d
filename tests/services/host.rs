//! A node whose device nodes are answered by drivers in memory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::common::{Output, node};
use cxi_sim::driver::{Caller, Nic, Nics, Parameters, Supervised};
use cxi_sim::node::{Kind, NicSpec, Node};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

pub const ROOT: Caller = Caller {
    uid: 0,
    gid: 0,
    netns: 4_026_531_840,
    is_admin: true,
};
pub const A: &str = "0000:21:00.0";
pub const B: &str = "0000:61:00.0";

/// A node whose device nodes lead to devices that everybody may open, each to another one: what is written to one of them is
/// answered by a driver in memory.
pub struct Host {
    pub folder: TempDir,
    pub node: Node,
    pub nics: Nics,
    pub caller: Caller,
}

/// Stand-ins for the node of `cxiN`, with their numbers.
pub const STAND_INS: [(&str, &str); 2] = [("/dev/zero", "1:5"), ("/dev/full", "1:7")];

impl Host {
    pub fn new() -> Self {
        Self::with(Parameters::default())
    }

    pub fn with(parameters: Parameters) -> Self {
        let specs = [
            NicSpec::new(Kind::Cassini1).pci(A).cxi(0),
            NicSpec::new(Kind::Cassini2).pci(B).cxi(1),
        ];
        let (folder, node) = node(&specs);
        let mut nics = BTreeMap::new();
        for (number, (device, numbers)) in STAND_INS.iter().enumerate() {
            stand_in(&node, number, device, numbers);
            nics.insert(PathBuf::from(device), Nic::new(parameters));
        }
        Self {
            folder,
            node,
            nics: Arc::new(Mutex::new(nics)),
            caller: ROOT,
        }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
            command.env_remove(variable);
        }
        command.arg("services").args(args).arg("--root").arg(self.node.root());
        if args.first().is_some_and(|word| word.ends_with("-default")) {
            command.arg("--state-dir").arg(self.state());
        }
        command
    }

    /// The site's configuration, for commands and for the daemon.
    pub fn configure(&self, text: &str) {
        let folder = self.node.root().join("etc/cxi-device-plugin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), text).unwrap();
    }

    pub fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Another command than `services`, with the daemon's directory.
    pub fn other_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        for variable in [
            "SYSFS_ROOT",
            "DEVFS_ROOT",
            "OFI_ROOT",
            "CXI_ROOT",
            "RUNTIME_DIRECTORY",
            "JOURNAL_STREAM",
            "NOTIFY_SOCKET",
        ] {
            command.env_remove(variable);
        }
        command.args(args).arg("--root").arg(self.node.root());
        command.arg("--run-dir").arg(self.run_dir());
        command
    }

    pub fn supervised(&self, command: Command) -> Output {
        let running = Supervised::start(command, &self.nics, self.caller).unwrap();
        running.output().unwrap().into()
    }

    /// The daemon by this configuration, with a file for metrics.
    pub fn daemon_command(&self, config: &str) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        fs::create_dir_all(self.run_dir()).unwrap();
        let metrics = path("cxi.prom");
        let text = format!(
            "{config}[kubelet]\nenabled = false\n[export]\ntextfile = \"{}\"\n",
            metrics.display()
        );
        fs::write(path("daemon.toml"), text).unwrap();
        let mut command = self.other_command(&["run", "--pulse", "1"]);
        command
            .arg("--config")
            .arg(path("daemon.toml"))
            .arg("--cdi-dir")
            .arg(path("cdi"));
        command
    }

    pub fn daemon(&self, config: &str) -> Daemon {
        self.daemon_with(self.daemon_command(config))
    }

    pub fn daemon_with(&self, command: Command) -> Daemon {
        let running = Supervised::start(command, &self.nics, self.caller).unwrap();
        Daemon {
            running,
            folder: self.folder.path().to_owned(),
        }
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let running = Supervised::start(self.command(args), &self.nics, self.caller).unwrap();
        running.output().unwrap().into()
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}: {output:?}");
        output.stdout
    }

    /// It fails, and says so with these words.
    pub fn fails(&self, args: &[&str], words: &[&str]) {
        let output = self.run(args);
        assert_eq!(output.code, 1, "{args:?}: {output:?}");
        for words in words {
            assert!(output.stderr.contains(words), "{words}: {output:?}");
        }
    }

    pub fn json(&self) -> Value {
        let text = self.ok(&["list", "--output", "json"]);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
    }

    /// What a NIC's services are.
    pub fn services(&self, address: &str) -> Vec<Value> {
        let listed = self.json();
        let nics = listed["nics"].as_array().unwrap();
        let nic = nics.iter().find(|nic| nic["address"] == address).unwrap();
        nic["services"].as_array().unwrap().clone()
    }

    /// With the driver of `cxiN`.
    pub fn driver<T>(&self, number: usize, with: impl FnOnce(&mut Nic) -> T) -> T {
        let mut nics = self.nics.lock().unwrap();
        with(nics.get_mut(Path::new(STAND_INS[number].0)).unwrap())
    }

    /// A command to the driver that is not of our program.
    pub fn other(&self, number: usize, client: u32, caller: Caller, op: u32, fields: &[u32]) -> Result<Vec<u8>, i32> {
        let short = matches!(op, 2 | 29 | 84);
        let mut request = op.to_le_bytes().to_vec();
        if !short {
            request.extend([0; 4]);
            request.extend(0x1000_u64.to_le_bytes());
        }
        request.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        if !short {
            request.resize(24, 0);
        }
        let outcome = self.driver(number, |nic| nic.command(client, &caller, &request));
        outcome.result.map(|()| {
            outcome
                .writes
                .into_iter()
                .next()
                .map(|(_, bytes)| bytes)
                .unwrap_or_default()
        })
    }

    pub fn file(&self, text: &str) -> String {
        let path = self.folder.path().join("service.yaml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Makes the node of `cxiN` another device, of which sysfs says the same.
pub fn stand_in(node: &Node, number: usize, device: &str, numbers: &str) {
    let path = node.root().join(format!("dev/cxi{number}"));
    fs::remove_file(&path).unwrap();
    symlink(device, &path).unwrap();
    let attribute = node.root().join(format!("sys/class/cxi_user/cxi{number}/dev"));
    fs::remove_file(&attribute).unwrap();
    fs::write(&attribute, format!("{numbers}\n")).unwrap();
}

/// A daemon that runs.
pub struct Daemon {
    running: Supervised,
    folder: PathBuf,
}

impl Daemon {
    /// What it says of its NICs; none before it says anything.
    pub fn nics(&self) -> Option<Vec<Value>> {
        let text = fs::read_to_string(self.folder.join("run/status.json")).ok()?;
        let record: Value = serde_json::from_str(&text).ok()?;
        Some(record["nics"].as_array()?.clone())
    }

    /// Waits until it says this of both NICs.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) {
        super::common::daemon::until(
            || self.nics().is_some_and(|nics| nics.len() == 2 && is_so(&nics)),
            || format!("{what}: {:?}", self.nics()),
        );
    }

    /// Waits for a line in the file of its metrics.
    pub fn wait_for_metric(&self, line: &str) {
        let text = || fs::read_to_string(self.folder.join("cxi.prom")).unwrap_or_default();
        super::common::daemon::until(
            || text().lines().any(|found| found == line),
            || format!("{line}: {}", text()),
        );
    }

    /// Has it read this configuration anew.
    pub fn reload(&self, config: &str) {
        fs::write(self.folder.join("daemon.toml"), config).unwrap();
        self.signal(Signal::SIGHUP);
    }

    fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.running.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Ends it; what it has logged.
    pub fn end(self) -> String {
        self.signal(Signal::SIGTERM);
        let output: Output = self.running.output().unwrap().into();
        assert_eq!(output.code, 0, "{output:?}");
        output.stderr
    }
}

/// How a condition of a NIC came out.
pub fn verdict<'a>(nic: &'a Value, check: &str) -> &'a str {
    let conditions = nic["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|found| found["check"] == check).unwrap();
    found["verdict"].as_str().unwrap()
}
