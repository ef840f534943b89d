//! From the driver's first step to kubelet's list and to the CDI file, with uevents of the real kernel.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::sample::Sample;
use super::table::{Figure, Table, Unit};
use super::{Counts, PATIENCE, RESOURCE};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Backend, Guest, Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 8;
const BUDGET_MS: f64 = 100.0;
/// Longer than any burst: each round begins with an idle plugin.
const PAUSE: Duration = Duration::from_millis(150);

/// On a tree of files, of whose changes the kernel tells in this thread's network namespace, which is our own.
pub(super) async fn on_tree(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let folder = scratch_dir()?;
    let mut node = Node::create(folder.path().join("node"), &[])?.with_uevents()?;
    measure(program, &mut node, folder.path(), counts, table).await
}

/// On this machine's kernel, with the modules in `modules`.
pub(super) async fn on_guest(
    program: &Path,
    modules: &Path,
    counts: &Counts,
    table: &mut Table<'_>,
) -> Result<(), Box<dyn Error>> {
    let folder = scratch_dir()?;
    measure(program, &mut Guest::fresh(modules)?, folder.path(), counts, table).await
}

/// One NIC loses its driver and gets it back, again and again.
async fn measure(
    program: &Path,
    node: &mut dyn Backend,
    folder: &Path,
    counts: &Counts,
    table: &mut Table<'_>,
) -> Result<(), Box<dyn Error>> {
    table.progress(format!("{} times a driver is lost and back", counts.rounds))?;
    let mut pci = String::new();
    for _ in 0..NICS {
        pci = node.add(&NicSpec::new(Kind::Cassini2))?;
    }
    let kubelet = Kubelet::start(&folder.join("kubelet"))?;
    let plugin = Plugin::start_on(program, folder, node.root(), &["--pulse", "0"])?;
    let healthy = |wanted| {
        kubelet.wait_for(RESOURCE, PATIENCE, move |devices| {
            devices.iter().filter(|device| device.is_healthy()).count() == wanted
        })
    };
    healthy(NICS).await?;
    let (mut lost, mut lost_file, mut bound, mut bound_file) = (vec![], vec![], vec![], vec![]);
    for _ in 0..counts.rounds {
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
    for (what, times) in [
        ("unbind to kubelet's list", lost),
        ("unbind to CDI file", lost_file),
        ("bind to kubelet's list", bound),
        ("bind to CDI file", bound_file),
    ] {
        let figure = Figure::median(format!("{what}, {NICS} NICs"), &Sample::from_iter(times), Unit::Ms);
        table.row(&figure.limit(BUDGET_MS))?;
    }
    Ok(())
}
