//! How long a pod waits for its CXI services: the handlers of `isolation`, asked by an emulated container runtime. The driver's
//! answers come from another process, which a real driver spares.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::libc::{major, minor};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use super::sample::Sample;
use super::table::{Figure, Table, Unit};
use super::{Counts, PATIENCE};
use crate::driver::{Caller, Nic, Nics, Parameters, Supervised};
use crate::node::{Kind, NicSpec, Node, scratch_dir};
use crate::nri::{Container, LinuxContainer, LinuxDevice, LinuxNamespace, LinuxPodSandbox, PodSandbox, Runtime};

const NICS: [usize; 2] = [1, 8];
const BUDGET_MS: f64 = 100.0;
/// Character devices that everybody may open on most machines, to stand for those of NICs.
const DEVICES: [&str; 11] = [
    "/dev/zero",
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/dev/fuse",
    "/dev/net/tun",
    "/dev/kvm",
    "/dev/vhost-net",
    "/dev/vhost-vsock",
    "/dev/loop-control",
];

pub(super) fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    table.progress(format!("{} pods with services of their own", counts.pods))?;
    for nics in NICS {
        let devices: Vec<&str> = DEVICES.into_iter().filter(|device| opens(device)).take(nics).collect();
        let Some(netns) = Netns::new()? else {
            return table
                .skipped("services for pods", "no network namespace for a pod")
                .map_err(Into::into);
        };
        let (begins, ends) = pods(program, &devices, &netns, counts.pods)?;
        let nics = devices.len();
        for (what, times) in [("CreateContainer", begins), ("StopPodSandbox", ends)] {
            let times = Sample::from_iter(times);
            for percent in [50, 99] {
                let what = format!("{what}, {nics} NICs, p{percent}");
                let figure = Figure::new(what, times.percentile(percent) / 1000.0, Unit::Ms);
                table.row(&figure.more(times.spread()).limit(BUDGET_MS))?;
            }
        }
    }
    Ok(())
}

fn opens(device: &str) -> bool {
    OpenOptions::new().read(true).write(true).open(device).is_ok()
}

/// How long each of so many pods waits at its begin and at its end.
fn pods(
    program: &Path,
    devices: &[&str],
    netns: &Netns,
    count: usize,
) -> Result<(Vec<Duration>, Vec<Duration>), Box<dyn Error>> {
    let folder = scratch_dir()?;
    let node = Node::create(
        folder.path().join("node"),
        &vec![NicSpec::new(Kind::Cassini2); devices.len()],
    )?;
    let nics = drivers(&node, devices)?;
    let config = folder.path().join("config.toml");
    fs::write(&config, "[isolation.vnis]\npods = \"1024\"\n")?;
    let socket = folder.path().join("nri.sock");
    let runtime = Runtime::listen(&socket)?;
    let mut command = Command::new(program);
    command.arg("isolation").arg("--root").arg(node.root());
    command.arg("--config").arg(&config).arg("--nri-socket").arg(&socket);
    command
        .arg("--run-dir")
        .arg(folder.path().join("run"))
        .args(["--log-level", "error"]);
    let root = Caller {
        uid: 0,
        gid: 0,
        netns: 1,
        is_admin: true,
    };
    let running = Supervised::start(command, &nics, root)?;
    let pid = Pid::from_raw(i32::try_from(running.pid())?);
    let mut plugin = runtime.take_and_tell(&[], &[])?;
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for number in 0..count {
        let pod = pod(number, &netns.path);
        let container = container(&pod, devices)?;
        let began = Instant::now();
        plugin
            .create_container(&pod, &container)?
            .map_err(std::io::Error::other)?;
        begins.push(began.elapsed());
        let began = Instant::now();
        plugin.stop_pod(&pod)?;
        ends.push(began.elapsed());
    }
    kill(pid, Signal::SIGTERM)?;
    running.output()?;
    Ok((begins, ends))
}

/// Has each of these stand for a NIC, and puts a driver behind it.
fn drivers(node: &Node, devices: &[&str]) -> Result<Nics, Box<dyn Error>> {
    let mut nics = BTreeMap::new();
    for (number, device) in devices.iter().enumerate() {
        let path = node.root().join(format!("dev/cxi{number}"));
        fs::remove_file(&path)?;
        symlink(device, &path)?;
        let attribute = node.root().join(format!("sys/class/cxi_user/cxi{number}/dev"));
        fs::remove_file(&attribute)?;
        let (major, minor) = numbers(device)?;
        fs::write(&attribute, format!("{major}:{minor}\n"))?;
        nics.insert(PathBuf::from(device), Nic::new(Parameters::default()));
    }
    Ok(Arc::new(Mutex::new(nics)))
}

fn numbers(device: &str) -> Result<(u32, u32), Box<dyn Error>> {
    let device = fs::metadata(device)?.rdev();
    Ok((major(device), minor(device)))
}

fn pod(number: usize, netns: &str) -> PodSandbox {
    PodSandbox {
        id: format!("sandbox-{number}"),
        name: format!("pod-{number}"),
        namespace: "pods".to_owned(),
        linux: Some(LinuxPodSandbox {
            namespaces: vec![LinuxNamespace {
                r#type: "network".to_owned(),
                path: netns.to_owned(),
            }],
        }),
        ..PodSandbox::default()
    }
}

fn container(pod: &PodSandbox, devices: &[&str]) -> Result<Container, Box<dyn Error>> {
    let mut given = Vec::new();
    for (number, device) in devices.iter().enumerate() {
        let (major, minor) = numbers(device)?;
        given.push(LinuxDevice {
            path: format!("/dev/cxi{number}"),
            r#type: "c".to_owned(),
            major: i64::from(major),
            minor: i64::from(minor),
        });
    }
    Ok(Container {
        id: format!("{}-main", pod.id),
        pod_sandbox_id: pod.id.clone(),
        name: "main".to_owned(),
        linux: Some(LinuxContainer {
            devices: given,
            ..LinuxContainer::default()
        }),
        ..Container::default()
    })
}

/// The network namespace of a process that waits for its input to end.
struct Netns {
    process: Child,
    path: String,
}

impl Netns {
    /// None where nobody may make one.
    fn new() -> Result<Option<Self>, Box<dyn Error>> {
        let flags: &[&str] = if geteuid().is_root() {
            &["--net"]
        } else {
            &["--user", "--map-root-user", "--net"]
        };
        let mut command = Command::new("unshare");
        command.args(flags).arg("cat");
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = command.spawn()?;
        let path = format!("/proc/{}/ns/net", process.id());
        let inode = |path: &str| fs::metadata(path).map(|metadata| metadata.ino()).ok();
        let own = inode("/proc/thread-self/ns/net");
        let start = Instant::now();
        loop {
            if process.try_wait()?.is_some() {
                return Ok(None);
            }
            if inode(&path).is_some_and(|its| Some(its) != own) {
                return Ok(Some(Self { process, path }));
            }
            if start.elapsed() > PATIENCE {
                return Err("unshare takes for ever".into());
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // It has no other purpose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
