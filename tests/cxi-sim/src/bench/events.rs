//! From the driver's first step to kubelet's list and to the CDI file, with uevents of the real kernel.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use tokio::time::sleep;

use super::{PATIENCE, RESOURCE, tell};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 8;
const ROUNDS: usize = 50;
/// Longer than any burst: each round begins with an idle plugin.
const PAUSE: Duration = Duration::from_millis(150);

pub(super) async fn run(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        writeln!(out, "SKIPPED events to list and file: no network namespace: {error}")?;
        return Ok(());
    }
    let folder = scratch_dir()?;
    let node = Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); NICS])?.with_uevents()?;
    let kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
    let plugin = Plugin::start_on(
        plugin,
        folder.path(),
        Some(&folder.path().join("node")),
        &["--pulse", "0"],
    )?;
    let pci = node.nics()?.pop().ok_or("the node has no NIC")?.pci;
    let healthy = |wanted| {
        kubelet.wait_for(RESOURCE, PATIENCE, move |devices| {
            devices.iter().filter(|device| device.is_healthy()).count() == wanted
        })
    };
    healthy(NICS).await?;
    let (mut lost, mut lost_file, mut bound, mut bound_file) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        sleep(PAUSE).await;
        let began = Instant::now();
        node.unbind(&pci)?;
        healthy(NICS - 1).await?;
        lost.push(began.elapsed());
        plugin
            .wait_for_spec("no name of the NIC", |spec| !spec.contains(&pci))
            .await?;
        lost_file.push(began.elapsed());
        sleep(PAUSE).await;
        let began = Instant::now();
        let node_path = format!("/dev/cxi{}", node.bind(&pci)?);
        healthy(NICS).await?;
        bound.push(began.elapsed());
        plugin
            .wait_for_spec("the new node", |spec| spec.contains(&node_path))
            .await?;
        bound_file.push(began.elapsed());
    }
    tell(out, "unbind, 6 steps, to list", lost)?;
    tell(out, "unbind to CDI file", lost_file)?;
    tell(out, "bind, 6 steps, to list", bound)?;
    tell(out, "bind to CDI file", bound_file)?;
    Ok(())
}
