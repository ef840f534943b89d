//! The daemon as a process on an emulated node, with a kubelet directory beside it.

use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cxi_sim::kubelet::{Device, Kubelet};
use cxi_sim::node::{Kind, NicSpec, Node};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub const RESOURCE: &str = "beta.hpe.com/cxi";
/// Addresses of an emulated node's first four NICs.
pub const A: &str = "0000:21:00.0";
pub const B: &str = "0000:61:00.0";
pub const C: &str = "0000:a1:00.0";
pub const D: &str = "0000:e1:00.0";
/// A hang guard, far above what anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Folders of one host: the emulated node and what the daemon and kubelet write.
pub struct DaemonFixture {
    folder: TempDir,
    pub node: Node,
}

/// A running daemon, killed when this value goes.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

/// As many usual NICs.
pub fn nics(count: usize) -> Vec<NicSpec> {
    vec![NicSpec::new(Kind::Cassini1); count]
}

impl DaemonFixture {
    pub fn new(nics: &[NicSpec]) -> Self {
        let (folder, node) = super::node(nics);
        let host = Self { folder, node };
        host.configure("");
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn kubelet_dir(&self) -> PathBuf {
        self.path("kubelet")
    }

    pub fn spec_file(&self) -> PathBuf {
        self.path("cdi/hpe.com-cxi.yaml")
    }

    pub fn spec(&self) -> String {
        fs::read_to_string(self.spec_file()).unwrap_or_default()
    }

    /// Waits until the spec file satisfies `wanted`; for what is written after kubelet has been told.
    pub fn wait_for_spec(&self, wanted: impl Fn(&str) -> bool) {
        until(
            || wanted(&self.spec()),
            || format!("the spec is not as wanted:\n{}", self.spec()),
        );
    }

    /// The daemon's command line with the folders of this host, and every message in its log.
    pub fn command(&self) -> Command {
        self.command_at("debug")
    }

    fn command_at(&self, log_level: &str) -> Command {
        let mut command = self.command_without_level();
        command.arg("--log-level").arg(log_level);
        command
    }

    fn command_without_level(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        for variable in [
            "SYSFS_ROOT",
            "DEVFS_ROOT",
            "OFI_ROOT",
            "CXI_ROOT",
            "RUNTIME_DIRECTORY",
            "JOURNAL_STREAM",
            "NOTIFY_SOCKET",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
        ] {
            command.env_remove(variable);
        }
        command.arg("--root").arg(self.node.root());
        for (flag, folder) in [("--kubelet-dir", "kubelet"), ("--cdi-dir", "cdi"), ("--run-dir", "run")] {
            command.arg(flag).arg(self.path(folder));
        }
        command.arg("--config").arg(self.config());
        command
    }

    fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// What the configuration says of health, beside that its news does not wait: most tests are about what is published,
    /// not about when.
    pub fn configure(&self, health: &str) {
        self.configure_holds("0s", "0s", health);
    }

    /// The same with hold times for bad news and for good.
    pub fn configure_holds(&self, down: &str, up: &str, health: &str) {
        let text = format!("[health]\nhold_down = \"{down}\"\nhold_up = \"{up}\"\n{health}");
        fs::write(self.config(), text).unwrap();
    }

    pub fn start(&self, flags: &[&str]) -> Daemon {
        self.start_at("debug", flags)
    }

    /// With messages of this level and more severe ones in its log.
    pub fn start_at(&self, log_level: &str, flags: &[&str]) -> Daemon {
        let mut command = self.command_at(log_level);
        command.args(flags);
        self.spawn(command)
    }

    /// With the log level of the configuration.
    pub fn start_without_level(&self) -> Daemon {
        self.spawn(self.command_without_level())
    }

    /// By another program, which becomes the daemon.
    pub fn start_in(&self, wrapper: &[&str], flags: &[&str]) -> Daemon {
        let daemon = self.command();
        let mut command = Command::new(wrapper[0]);
        command
            .args(&wrapper[1..])
            .arg(daemon.get_program())
            .args(daemon.get_args())
            .args(flags);
        self.spawn(command)
    }

    pub fn spawn(&self, mut command: Command) -> Daemon {
        let log = self.path("daemon.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = command.stdin(Stdio::null()).stderr(file).spawn().unwrap();
        Daemon { child, log }
    }

    pub fn kubelet(&self) -> Kubelet {
        Kubelet::start(&self.kubelet_dir()).unwrap()
    }

    /// Sockets in kubelet's directory other than kubelet's own.
    pub fn plugin_sockets(&self) -> Vec<String> {
        sockets(&self.kubelet_dir())
            .into_iter()
            .filter(|name| name != "kubelet.sock")
            .collect()
    }
}

impl Daemon {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    /// Asks for a scan.
    pub fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Puts it to sleep, wholly: what happens now it will see at once when it is woken.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        let status = || fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        until(
            || status().contains("State:\tT"),
            || "the daemon does not stop".to_owned(),
        );
    }

    pub fn wake(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Warnings of the log, but for those of the flags that every test has to give.
    pub fn warnings(&self) -> Vec<String> {
        let of_flags = [" cdi.dir: ", " health.poll: "];
        let is_one = |line: &&str| line.contains("WARN") && !of_flags.iter().any(|flag| line.contains(flag));
        self.log().lines().filter(is_one).map(str::to_owned).collect()
    }

    pub fn wait_for_log(&self, text: &str) {
        until(
            || self.log().contains(text),
            || format!("the log does not say '{text}':\n{}", self.log()),
        );
    }

    /// Waits until it has looked after its last write and waits for events: what happens now, only they can tell.
    pub fn wait_until_settled(&self) {
        let is_settled = |log: &str| {
            let after_write = log.rsplit("trigger: our own write").next().unwrap_or_default();
            let last = log.lines().next_back().unwrap_or_default();
            after_write.contains("looked at the node")
                && !last.contains("trigger")
                && !last.contains("looking at the node")
        };
        until(|| is_settled(&self.log()), || self.log());
    }

    /// Has it look, and waits until it has published what it saw.
    pub fn look(&self) {
        let hangups = || self.log().matches("trigger: SIGHUP").count();
        let before = hangups();
        self.hang_up();
        until(|| hangups() > before, || self.log());
        let log = || {
            self.log()
                .rsplit("trigger: SIGHUP")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        until(|| log().contains("looked at the node in"), || self.log());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || "the daemon does not end".to_owned(),
        );
        status.unwrap()
    }

    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Names of the sockets in a folder.
pub fn sockets(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    sockets.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Looks again and again until it is so; a guard ends what would hang.
pub fn until(mut is_so: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::yield_now();
    }
}

/// Waits until kubelet sees exactly these devices, each with its health.
pub async fn wait_for(kubelet: &Kubelet, expected: &[(&str, bool)]) -> Vec<Device> {
    let as_expected = |devices: &[Device]| {
        devices
            .iter()
            .map(|device| (device.id.as_str(), device.is_healthy()))
            .eq(expected.iter().copied())
    };
    kubelet.wait_for(RESOURCE, PATIENCE, as_expected).await.unwrap()
}

pub fn assert_no_violations(kubelet: &Kubelet) {
    let violations = kubelet.violations();
    assert!(violations.is_empty(), "{violations:?}");
}
