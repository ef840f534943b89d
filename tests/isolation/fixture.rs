//! A node with two NICs, a runtime, pods with network namespaces of their own, and the program.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cxi_sim::driver::{Caller, Nic, Nics, Parameters, Supervised};
use cxi_sim::node::{Kind, NicSpec, Node};
use cxi_sim::nri::{Container, LinuxContainer, LinuxDevice, LinuxNamespace, LinuxPodSandbox, PodSandbox, Runtime};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::daemon::{A, B, until};
use crate::common::skip::{Need, skip};
use crate::common::stand_ins::{STAND_INS, drivers, with_driver};
use crate::common::{Output, node};

/// Ranges of two namespaces.
pub const VNIS: &str = "[isolation.vnis]\nblue = \"1024-1031\"\nred = \"1032-1039\"\n";

pub const ROOT: Caller = Caller {
    uid: 0,
    gid: 0,
    netns: 4_026_531_840,
    is_admin: true,
};

/// The node.
pub struct Host {
    pub folder: TempDir,
    pub node: Node,
    pub nics: Nics,
}

/// The program, which is killed with this value.
pub struct Program {
    running: Option<Supervised>,
    pid: Pid,
}

impl Host {
    pub fn new() -> Self {
        Self::with(Parameters::default(), VNIS)
    }

    pub fn with(parameters: Parameters, config: &str) -> Self {
        let specs = [
            NicSpec::new(Kind::Cassini1).pci(A).cxi(0),
            NicSpec::new(Kind::Cassini2).pci(B).cxi(1),
        ];
        let (folder, node) = node(&specs);
        let nics = drivers(&node, 2, parameters);
        let host = Self { folder, node, nics };
        fs::write(host.path("config.toml"), config).unwrap();
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn runtime(&self) -> Runtime {
        Runtime::listen(&self.path("nri/nri.sock")).unwrap()
    }

    pub fn command(&self) -> Command {
        self.command_in(&self.path("run"))
    }

    /// With its own state in this directory.
    pub fn command_in(&self, run_dir: &Path) -> Command {
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
        command.arg("isolation").arg("--root").arg(self.node.root());
        for (flag, name) in [
            ("--config", "config.toml"),
            ("--nri-socket", "nri/nri.sock"),
            ("--pod-resources", "pod-resources.sock"),
        ] {
            command.arg(flag).arg(self.path(name));
        }
        command.arg("--run-dir").arg(run_dir);
        command.args(["--log-level", "debug"]);
        command
    }

    pub fn start(&self) -> Program {
        self.start_by(self.command())
    }

    pub fn start_by(&self, command: Command) -> Program {
        let running = Supervised::start(command, &self.nics, ROOT).unwrap();
        let pid = Pid::from_raw(running.pid().try_into().unwrap());
        Program {
            running: Some(running),
            pid,
        }
    }

    /// With the driver of `cxiN`.
    pub fn driver<T>(&self, number: usize, with: impl FnOnce(&mut Nic) -> T) -> T {
        with_driver(&self.nics, number, with)
    }

    /// Services of `cxiN` beside the default one.
    pub fn ids(&self, number: usize) -> Vec<u32> {
        self.driver(number, |nic| nic.ids())
            .into_iter()
            .filter(|id| *id != 1)
            .collect()
    }

    /// Whether a process in this namespace may use a service of `cxiN`; it goes on using it as this client.
    pub fn open(&self, number: usize, client: u32, netns: u32, service: u32) -> Result<(), i32> {
        let caller = Caller {
            uid: 1000,
            gid: 1000,
            netns,
            is_admin: false,
        };
        let mut request = 1_u64.to_le_bytes().to_vec();
        request.extend(0x1000_u64.to_le_bytes());
        request.extend(u64::from(service).to_le_bytes());
        self.driver(number, |nic| nic.command(client, &caller, &request).result)
    }

    /// Its use ends.
    pub fn close(&self, number: usize, client: u32) {
        self.driver(number, |nic| nic.close(client));
    }

    /// Whether it may, and no more.
    pub fn admits(&self, number: usize, netns: u32, service: u32) -> Result<(), i32> {
        let tried = self.open(number, 77, netns, service);
        self.close(number, 77);
        tried
    }

    /// What it says of itself.
    pub fn record(&self) -> Value {
        let text = fs::read_to_string(self.path("run/status.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Waits until it says so.
    pub fn wait_for_record(&self, is_so: impl Fn(&Value) -> bool) {
        until(|| is_so(&self.record()), || self.record().to_string());
    }
}

impl Program {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it in order, and says what it said.
    pub fn end(self) -> Output {
        kill(self.pid, Signal::SIGTERM).unwrap();
        self.output()
    }

    pub fn kill(mut self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
        let _ = self.running.take().unwrap().output().unwrap();
    }

    /// It ends by itself.
    pub fn output(mut self) -> Output {
        self.running.take().unwrap().output().unwrap().into()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = kill(self.pid, Signal::SIGKILL);
            if let Ok(output) = running.output() {
                println!("{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

/// A network namespace, as long as this value is there.
pub struct Namespace {
    process: Child,
    pub path: String,
    pub inode: u32,
}

impl Namespace {
    /// None where nobody may make one: then the test has been skipped.
    pub fn new() -> Option<Self> {
        let flags: &[&str] = if nix::unistd::geteuid().is_root() {
            &["--net"]
        } else {
            &["--user", "--map-root-user", "--net"]
        };
        let mut command = Command::new("unshare");
        // It ends with its input.
        command
            .args(flags)
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(mut process) = command.spawn() else {
            skip(Need::Program, "no unshare");
            return None;
        };
        let path = format!("/proc/{}/ns/net", process.id());
        let inode = |path: &str| fs::metadata(path).map(|metadata| metadata.ino()).ok();
        let own = inode("/proc/thread-self/ns/net");
        let mut has_ended = false;
        until(
            || {
                has_ended = process.try_wait().unwrap().is_some();
                has_ended || inode(&path).is_some_and(|its| Some(its) != own)
            },
            || "no namespace".to_owned(),
        );
        if has_ended {
            skip(Need::Namespaces, "no network namespace");
            return None;
        }
        let inode = inode(&path).unwrap().try_into().unwrap();
        Some(Self { process, path, inode })
    }

    /// Two of them.
    pub fn two() -> Option<(Self, Self)> {
        Some((Self::new()?, Self::new()?))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A pod with this network namespace; none: the host's.
pub fn pod(id: &str, namespace: &str, netns: Option<&Namespace>) -> PodSandbox {
    let network = netns.map(|netns| LinuxNamespace {
        r#type: "network".to_owned(),
        path: netns.path.clone(),
    });
    let ipc = LinuxNamespace {
        r#type: "ipc".to_owned(),
        path: "/proc/1/ns/ipc".to_owned(),
    };
    PodSandbox {
        id: id.to_owned(),
        name: format!("pod-{id}"),
        uid: format!("uid-{id}"),
        namespace: namespace.to_owned(),
        linux: Some(LinuxPodSandbox {
            namespaces: [ipc].into_iter().chain(network).collect(),
        }),
        ..PodSandbox::default()
    }
}

/// Its container with the nodes of these NICs, and a forged environment.
pub fn container(pod: &PodSandbox, nics: &[usize]) -> Container {
    let device = |number: &usize| {
        let (_, major, minor) = STAND_INS[*number];
        LinuxDevice {
            path: format!("/dev/cxi{number}"),
            r#type: "c".to_owned(),
            major: major.try_into().unwrap(),
            minor: minor.try_into().unwrap(),
        }
    };
    Container {
        id: format!("{}-main", pod.id),
        pod_sandbox_id: pod.id.clone(),
        name: "main".to_owned(),
        state: 1,
        env: vec![
            format!("PCIDEVICE_BETA_HPE_COM_CXI={A},{B}"),
            "SLINGSHOT_VNIS=1032".to_owned(),
        ],
        linux: Some(LinuxContainer {
            devices: nics.iter().map(device).collect(),
            ..LinuxContainer::default()
        }),
        ..Container::default()
    }
}

/// What systemd hears.
pub struct Systemd {
    socket: UnixDatagram,
    pub path: PathBuf,
}

impl Systemd {
    pub fn new(host: &Host) -> Self {
        let path = host.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path }
    }

    /// Everything that has come.
    pub fn heard(&self) -> String {
        let mut all = String::new();
        let mut buffer = [0; 4096];
        while let Ok(count) = self.socket.recv(&mut buffer) {
            all += &String::from_utf8_lossy(&buffer[..count]);
        }
        all
    }
}
