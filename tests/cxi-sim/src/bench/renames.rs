//! What it costs when other programs rename files in kubelet's directory all the time: kubelet itself replaces its checkpoint
//! there with each pod.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::{PATIENCE, RESOURCE, idle, tell};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 8;
const IN_A_SECOND: u32 = 780;
const RENAMES: u32 = 5 * IN_A_SECOND;
/// An Allocate with each so many renames.
const ALLOCATE: u32 = 39;

/// Renames of files that are nothing to us, and of some that have the name of another plugin for our resource.
pub(super) async fn run(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    measure("foreign", "kubelet_internal_checkpoint", plugin, out).await?;
    measure("rivals'", &RESOURCE.replace('/', "_"), plugin, out).await
}

async fn measure(what: &str, name: &str, plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = scratch_dir()?;
    let node = Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); NICS])?;
    let kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
    let plugin = Plugin::start(plugin, folder.path())?;
    let has_all = |devices: &[crate::kubelet::Device]| devices.len() == NICS;
    kubelet.wait_for(RESOURCE, PATIENCE, has_all).await?;
    let ids: Vec<String> = node.nics()?.into_iter().take(1).map(|nic| nic.pci).collect();
    let pid = plugin.pid().ok_or("the plugin has ended")?;
    let (place, new) = (
        folder.path().join("kubelet").join(name),
        folder.path().join("kubelet/.new"),
    );
    fs::write(&new, "")?;
    let mut clock = interval(Duration::from_secs(1) / IN_A_SECOND);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, before) = (Instant::now(), idle::used(pid)?);
    let mut calls = Vec::new();
    for count in 0..RENAMES {
        clock.tick().await;
        let (from, to) = if count % 2 == 0 { (&new, &place) } else { (&place, &new) };
        fs::rename(from, to)?;
        if count % ALLOCATE == 0 {
            let called = Instant::now();
            kubelet.allocate(RESOURCE, vec![ids.clone()]).await?;
            calls.push(called.elapsed());
        }
    }
    let (after, took) = (idle::used(pid)?, began.elapsed());
    let percent = (after.cpu_us - before.cpu_us) / 10_000.0 / took.as_secs_f64();
    let in_a_second = f64::from(RENAMES) / took.as_secs_f64();
    writeln!(
        out,
        "{in_a_second:.0} {what} renames/s in kubelet's directory: {percent:.1} % of a CPU"
    )?;
    tell(out, "  Allocate meanwhile", calls)?;
    Ok(())
}
