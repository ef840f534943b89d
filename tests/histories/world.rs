//! A node, kubelet and the daemon during one history, and the faults that are on.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Node};
use fastrand::Rng;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use tokio::runtime::{Builder, Runtime};

use super::faults::Fault;
use crate::common::daemon::{Daemon, DaemonFixture, PATIENCE, RESOURCE, until};
use crate::common::hang::Hang;
use crate::common::mounts::{self, Memory};
use crate::common::{Output, network};

/// What the worker of this history may do on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Rights {
    /// Mounts of its own: full disks.
    pub mounts: bool,
    /// A network of its own: the kernel's events.
    pub events: bool,
    /// Reads that hang.
    pub hangs: bool,
}

impl Rights {
    /// Moves the thread into namespaces of its own, as far as that is allowed.
    pub fn take() -> Self {
        let mounts = mounts::enter().is_ok();
        Self {
            mounts,
            events: unshare(CloneFlags::CLONE_NEWNET).is_ok(),
            hangs: mounts && Hang::possible(),
        }
    }
}

/// How a directory is reached that a history may take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Plain,
    /// By a link, which may be pointed elsewhere.
    Linked,
}

/// Everything of one history. What was mounted goes before the folder it is in.
pub struct World {
    pub rng: Rng,
    pub rights: Rights,
    pub steps: RefCell<Vec<String>>,
    pub faults: Vec<Fault>,
    pub daemon: Option<Daemon>,
    pub kubelet: Kubelet,
    runtime: Runtime,
    pub kubelet_layout: Layout,
    pub cdi_layout: Layout,
    pub libraries_layout: Layout,
    /// Without, only events tell the daemon of anything.
    pub polls: bool,
    pub by_cdi: bool,
    /// The node, of whose changes the kernel tells.
    pub node: Node,
    _disks: Vec<Memory>,
    count: usize,
    pub host: DaemonFixture,
}

impl World {
    pub fn new(seed: u64, rights: Rights) -> Self {
        let mut rng = Rng::with_seed(seed);
        let polls = !rights.events || rng.bool();
        let kinds = [Kind::Cassini1, Kind::Cassini2];
        let mut nics: Vec<NicSpec> = (0..rng.usize(1..4))
            .map(|_| NicSpec::new(kinds[rng.usize(..2)]))
            .collect();
        if !polls {
            // The one interface of this network, so that its messages are those of the NIC.
            nics[0] = nics[0].clone().netdev("lo");
        }
        let host = DaemonFixture::new(&nics);
        host.configure_holds("200ms", "200ms", "");
        let node = host.node.clone();
        let node = if rights.events {
            node.with_uevents().unwrap()
        } else {
            node
        };
        let mut layout = || if rng.bool() { Layout::Linked } else { Layout::Plain };
        let (kubelet_layout, cdi_layout, libraries_layout) = (layout(), layout(), layout());
        let mut disks = Vec::new();
        for (name, layout) in [("run", Layout::Plain), ("cdi", cdi_layout), ("kubelet", kubelet_layout)] {
            let place = match layout {
                // A mounted directory cannot be renamed.
                Layout::Plain if name != "run" => continue,
                Layout::Plain => host.path(name),
                Layout::Linked => host.path(&format!("disk-{name}")),
            };
            fs::create_dir_all(&place).unwrap();
            if rights.mounts {
                disks.push(Memory::at(&place, "mode=0755,size=512k,nr_inodes=128"));
            }
            if layout == Layout::Linked {
                fs::create_dir(place.join("0")).unwrap();
                symlink(place.join("0"), host.path(name)).unwrap();
            }
        }
        if libraries_layout == Layout::Linked {
            let place = node.root().join("opt/cray/lib64");
            fs::rename(&place, place.with_file_name("lib64-0")).unwrap();
            symlink("lib64-0", &place).unwrap();
        }
        Self {
            by_cdi: rng.bool(),
            kubelet: host.kubelet(),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
            rng,
            rights,
            steps: RefCell::default(),
            faults: Vec::new(),
            daemon: None,
            kubelet_layout,
            cdi_layout,
            libraries_layout,
            polls,
            node,
            _disks: disks,
            count: 0,
            host,
        }
    }

    /// In words, for the report of a failure.
    pub fn describe(&self) -> String {
        format!(
            "{:?}, {}, kubelet's directory {:?}, CDI directory {:?}, libraries {:?}, {}",
            self.rights,
            if self.polls { "poll of 1 s" } else { "events only" },
            self.kubelet_layout,
            self.cdi_layout,
            self.libraries_layout,
            if self.by_cdi { "--enable-cdi" } else { "direct" },
        )
    }

    pub fn note(&self, step: impl Into<String>) {
        self.steps.borrow_mut().push(step.into());
    }

    /// A name that was not given out before.
    pub fn another(&mut self, name: &str) -> String {
        self.count += 1;
        format!("{name}-{}", self.count)
    }

    /// A place for what is taken away, where nobody looks.
    pub fn aside(&mut self, name: &str) -> PathBuf {
        let name = self.another(name);
        self.host.path(&name)
    }

    pub fn start_daemon(&mut self) {
        let mut flags = vec!["--pulse", if self.polls { "1" } else { "0" }];
        if self.by_cdi {
            flags.push("--enable-cdi");
        }
        self.daemon = Some(self.host.start(&flags));
    }

    /// Once it has said what signals are to do: before, any of them would kill it.
    pub fn signal_daemon(&mut self, signal: Signal) {
        let Some(daemon) = &mut self.daemon else { return };
        let status = format!("/proc/{}/status", daemon.pid());
        let handles = || {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .unwrap_or("0");
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap_or_default();
            let bit = |signal: Signal| 1 << (signal as u32 - 1);
            caught & bit(Signal::SIGHUP) != 0 && caught & bit(Signal::SIGTERM) != 0
        };
        until(
            || handles() || !daemon.is_running(),
            || "it handles no signals".to_owned(),
        );
        assert!(daemon.is_running(), "the daemon has ended by itself");
        daemon.signal(signal);
    }

    pub fn end_daemon(&mut self, gracefully: bool) {
        if gracefully {
            self.signal_daemon(Signal::SIGTERM);
            let status = self.daemon.as_mut().map(Daemon::wait);
            let code = status.and_then(|status| status.code());
            assert_eq!(code, Some(0), "at SIGTERM");
        }
        if let Some(daemon) = self.daemon.take().filter(|_| !gracefully) {
            daemon.kill();
        }
        self.daemon = None;
    }

    /// No daemon ends by itself.
    pub fn assert_running(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            assert!(daemon.is_running(), "the daemon has ended by itself");
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.host.path("daemon.log")).unwrap_or_default()
    }

    /// Kubelet does nothing while this is done.
    pub fn stalled(&self, act: impl FnMut()) {
        // It looks whether that is so with its state locked.
        let act = RefCell::new(act);
        let look = self.kubelet.wait_for(RESOURCE, Duration::ZERO, |_| {
            act.borrow_mut()();
            true
        });
        let _ = self.runtime.block_on(look);
    }

    /// The device node, or the CDI name, by which a pod gets the NIC.
    pub fn allocate(&self, id: &str) -> Result<String, String> {
        let answer = self.kubelet.allocate(RESOURCE, vec![vec![id.to_owned()]]);
        let answer = self.runtime.block_on(answer).map_err(|error| error.to_string())?;
        let response = answer.container_responses.first().ok_or("no response")?;
        let names = response.cdi_devices.iter().map(|device| device.name.clone());
        let nodes = response.devices.iter().map(|device| device.host_path.clone());
        names.chain(nodes).next().ok_or_else(|| format!("{response:?}"))
    }

    /// The link of the NIC `lo` is told of by the kernel.
    pub fn tell_of_link(&self) {
        if self.rights.events {
            network::set_loopback(false);
            network::set_loopback(true);
        }
    }

    /// A command of an admin, which ends whatever is the matter with the node.
    pub fn admin(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
            command.env_remove(variable);
        }
        command.args(args).arg("--root").arg(self.node.root());
        command.arg("--run-dir").arg(self.host.path("run"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(PATIENCE) else {
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
            panic!("{args:?} does not end");
        };
        output.unwrap().into()
    }
}

/// Points a link elsewhere, in one step.
pub fn point(link: &Path, target: &Path) {
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

/// Fills what is left of a disk.
pub fn fill(file: &Path) {
    let Ok(mut file) = File::create(file) else { return };
    for size in [64 << 10, 4 << 10, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

/// Removes a file, a link or a directory, if there is one.
pub fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}

/// A directory with what is in it, but for links.
pub fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        match fs::read_link(&path) {
            Ok(target) => symlink(target, copy).unwrap(),
            Err(_) => drop(fs::copy(&path, copy).unwrap()),
        }
    }
}

/// Where a link leads; the path itself if it is none.
pub fn target(path: &Path) -> PathBuf {
    fs::read_link(path).unwrap_or_else(|_| path.to_owned())
}
