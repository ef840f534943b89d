//! How fast and how large the device plugin is, seen from an emulated kubelet. Figures, not verdicts: a busy machine is no
//! defect of the plugin.

mod events;
mod idle;
mod renames;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

const RESOURCE: &str = "beta.hpe.com/cxi";
const PATIENCE: Duration = Duration::from_secs(30);
const NICS: usize = 8;
const STARTS: usize = 21;
const ALLOCATES: usize = 10_000;

/// Measures the program at `plugin` and tells the figures to `out`.
///
/// # Errors
/// What could not be done.
pub async fn run(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = scratch_dir()?;
    let node = Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); NICS])?;
    let mut kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
    let mut starts = Vec::new();
    let mut running: Option<Plugin> = None;
    for _ in 0..STARTS {
        if let Some(mut last) = running.take() {
            last.terminate().await?;
        }
        // A new life each time: the list of the dead plugin must not be taken for that of the new one.
        kubelet.restart()?;
        let began = Instant::now();
        running = Some(Plugin::start(plugin, folder.path())?);
        kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == NICS)
            .await?;
        starts.push(began.elapsed());
    }
    tell(out, "exec to device list in kubelet", starts)?;

    let ids: Vec<String> = node.nics()?.into_iter().take(1).map(|nic| nic.pci).collect();
    let mut calls = Vec::with_capacity(ALLOCATES);
    for _ in 0..ALLOCATES {
        let began = Instant::now();
        kubelet.allocate(RESOURCE, vec![ids.clone()]).await?;
        calls.push(began.elapsed());
    }
    tell(out, "Allocate, there and back", calls)?;

    let mut restarts = Vec::new();
    for _ in 0..STARTS {
        kubelet.stop();
        let began = Instant::now();
        kubelet.boot()?;
        kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == NICS)
            .await?;
        restarts.push(began.elapsed());
    }
    tell(out, "kubelet's start to device list", restarts)?;
    let pid = running.as_ref().and_then(Plugin::pid).ok_or("the plugin has ended")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    for line in status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("Threads"))
    {
        writeln!(out, "{line}")?;
    }
    drop(running);
    renames::run(plugin, out).await?;
    events::on_tree(plugin, out).await?;
    idle::run(plugin, out).await
}

/// Measures only how long events take to kubelet and to the CDI file: on this machine's kernel with the modules in
/// `modules`, or on a tree of files.
///
/// # Errors
/// What could not be done.
pub async fn events(plugin: &Path, modules: Option<&Path>, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    match modules {
        Some(modules) => events::on_guest(plugin, modules, out).await,
        None => events::on_tree(plugin, out).await,
    }
}

/// Measures only what renames in kubelet's directory cost.
///
/// # Errors
/// What could not be done.
pub async fn renames(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    renames::run(plugin, out).await
}

fn tell(out: &mut dyn Write, what: &str, mut times: Vec<Duration>) -> std::io::Result<()> {
    times.sort();
    let at = |share: usize| {
        times
            .get((times.len() - 1) * share / 100)
            .map_or(0, Duration::as_micros)
    };
    let (median, late, worst) = (at(50), at(99), at(100));
    writeln!(
        out,
        "{what:<32} n {:<6} median {median} us  p99 {late} us  worst {worst} us",
        times.len()
    )
}
