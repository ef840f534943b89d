//! The device plugin as a process, and what it leaves on disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Done;
use super::output::PATIENCE;

/// News of a NIC's health does not wait: the stages are about what is published, not about when.
const NO_HOLD: &str = "[health]\nhold_down = \"0s\"\nhold_up = \"0s\"\n";

/// On a real kernel a netdev is down for a moment when its driver comes, which is no news that a scenario tells of.
const SHORT_HOLD: &str = "[health]\nhold_down = \"1s\"\nhold_up = \"0s\"\n";

/// Where the parts of an emulated node are.
const ROOTS: [(&str, &str); 4] = [
    ("SYSFS_ROOT", "sys"),
    ("DEVFS_ROOT", "dev"),
    ("OFI_ROOT", "opt/cray/lib64"),
    ("CXI_ROOT", "usr/lib64"),
];

/// A running plugin. It is killed when this value goes.
pub struct Plugin {
    child: Child,
    program: PathBuf,
    began: Instant,
    kubelet_dir: PathBuf,
    spec: PathBuf,
}

impl Plugin {
    /// Starts the program on the node in `folder`; its log goes to `daemon.log` there.
    pub fn start(program: &Path, folder: &Path) -> Done<Self> {
        Self::start_on(program, folder, Some(&folder.join("node")), &[])
    }

    /// As [`Plugin::start`], with the host's tree at `root` (none is the machine's own) and more flags. The log of an
    /// earlier one is kept.
    pub fn start_on(program: &Path, folder: &Path, root: Option<&Path>, flags: &[&str]) -> Done<Self> {
        let config = if root.is_some() { NO_HOLD } else { SHORT_HOLD };
        Self::begin(program, folder, flags, config, |command| {
            if let Some(root) = root {
                command.arg("--root").arg(root);
            }
        })
    }

    /// As [`Plugin::start_on`]; pods are given the files of the tree itself, as they lie on this machine.
    pub fn start_beside(program: &Path, folder: &Path, root: &Path, flags: &[&str]) -> Done<Self> {
        let config = format!("{NO_HOLD}[allocation]\nstrategy = \"direct\"\n");
        Self::begin(program, folder, flags, &config, |command| {
            for (variable, place) in ROOTS {
                command.env(variable, root.join(place));
            }
        })
    }

    fn begin(
        program: &Path,
        folder: &Path,
        flags: &[&str],
        text: &str,
        with_root: impl FnOnce(&mut Command),
    ) -> Done<Self> {
        let (kubelet_dir, cdi_dir) = (folder.join("kubelet"), folder.join("cdi"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("daemon.log"))?;
        let config = folder.join("config.toml");
        fs::write(&config, text)?;
        let mut command = Command::new(program);
        with_root(&mut command);
        command
            .arg("--kubelet-dir")
            .arg(&kubelet_dir)
            .arg("--cdi-dir")
            .arg(&cdi_dir)
            .arg("--run-dir")
            .arg(folder.join("run"))
            .arg("--config")
            .arg(config)
            .args(flags)
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        let began = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}; `make build` makes it", program.display()))?;
        Ok(Self {
            child,
            program: program.to_owned(),
            began,
            kubelet_dir,
            spec: cdi_dir.join("hpe.com-cxi.yaml"),
        })
    }

    /// Its process, as long as it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// What another command of the program says of the node at `root` and this daemon. It may find something (3).
    pub async fn ask(&self, root: &Path, command: &[&str]) -> Done<String> {
        let run = self.kubelet_dir.with_file_name("run");
        let mut asking = Command::new(&self.program);
        asking.args(command).arg("--root").arg(root).arg("--run-dir").arg(run);
        let output = timeout(PATIENCE, asking.output())
            .await
            .map_err(|_| format!("{command:?} does not end"))??;
        if !matches!(output.status.code(), Some(0 | 3)) {
            return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Asks for a scan.
    pub fn look_again(&self) -> Done {
        self.signal(Signal::SIGHUP)
    }

    /// Ends the plugin as systemd does and waits for it.
    pub async fn terminate(&mut self) -> Done<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        Ok(timeout(PATIENCE, self.child.wait())
            .await
            .map_err(|_| "the daemon does not end after SIGTERM")??)
    }

    /// Kills the plugin as the kernel does when memory is short.
    pub async fn kill(&mut self) -> Done {
        Ok(self.child.kill().await?)
    }

    /// The CDI spec on disk.
    pub fn spec(&self) -> Done<String> {
        fs::read_to_string(&self.spec)
            .map_err(|error| format!("no CDI spec at {}: {error}", self.spec.display()).into())
    }

    /// Waits until the spec is as `wanted`, empty if there is none: a removal reaches kubelet before it reaches the file.
    pub async fn wait_for_spec(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Done {
        let as_wanted = async {
            while !wanted(&self.spec().unwrap_or_default()) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, as_wanted)
            .await
            .map_err(|_| format!("the CDI spec should have {what}").into())
    }

    /// Names of the sockets in kubelet's directory that are not kubelet's own.
    pub fn sockets_left(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.kubelet_dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names
            .filter(|name| name.as_ref().map_or(true, |name| name.starts_with("cxi-")))
            .collect()
    }

    fn signal(&self, signal: Signal) -> Done {
        let pid = self
            .child
            .id()
            .and_then(|pid| pid.try_into().ok())
            .ok_or("the daemon has ended by itself")?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }
}
