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
use crate::node::{Backend, Guest, Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 8;
const ROUNDS: usize = 50;
/// Longer than any burst: each round begins with an idle plugin.
const PAUSE: Duration = Duration::from_millis(150);

/// On a tree of files, of whose changes the kernel tells in a network namespace of our own.
pub(super) async fn on_tree(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        writeln!(out, "SKIPPED events to list and file: no network namespace: {error}")?;
        return Ok(());
    }
    let folder = scratch_dir()?;
    let mut node = Node::create(folder.path().join("node"), &[])?.with_uevents()?;
    measure(plugin, &mut node, folder.path(), out).await
}

/// On this machine's kernel, with the modules in `modules`.
pub(super) async fn on_guest(plugin: &Path, modules: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = scratch_dir()?;
    measure(plugin, &mut Guest::fresh(modules)?, folder.path(), out).await
}

/// One NIC loses its driver and gets it back, again and again.
async fn measure(
    plugin: &Path,
    node: &mut dyn Backend,
    folder: &Path,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let mut pci = String::new();
    for _ in 0..NICS {
        pci = node.add(&NicSpec::new(Kind::Cassini2))?;
    }
    let kubelet = Kubelet::start(&folder.join("kubelet"))?;
    let plugin = Plugin::start_on(plugin, folder, node.root(), &["--pulse", "0"])?;
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
        node.bind(&pci)?;
        healthy(NICS).await?;
        bound.push(began.elapsed());
        plugin
            .wait_for_spec("the NIC's name", |spec| spec.contains(&pci))
            .await?;
        bound_file.push(began.elapsed());
    }
    tell(out, "unbind to list", lost)?;
    tell(out, "unbind to CDI file", lost_file)?;
    tell(out, "bind to list", bound)?;
    tell(out, "bind to CDI file", bound_file)?;
    Ok(())
}
