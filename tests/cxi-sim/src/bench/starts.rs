//! How long the plugin takes from exec to Register, beside what the machine takes to start the program at all.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::sample::Sample;
use super::table::{Figure, Table, Unit};
use super::{Counts, PATIENCE, RESOURCE};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 4;
const BUDGET_MS: f64 = 5.0;
const BUDGET_RATIO: f64 = 3.0;

/// In turns, since a busy machine is slow for all of them: `--version`, a start that finds nothing of an earlier one, as
/// after a boot, and one that finds all of it.
pub(super) async fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    table.progress(format!("starts: {} of each kind", counts.starts))?;
    let folder = scratch_dir()?;
    Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); NICS])?;
    let mut kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
    let (mut versions, mut first, mut again, mut lists) = (vec![], vec![], vec![], vec![]);
    for _ in 0..counts.starts {
        versions.push(version(program)?);
        for left in ["run", "cdi"] {
            match fs::remove_dir_all(folder.path().join(left)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let (registered, listed) = start(program, folder.path(), &mut kubelet).await?;
        first.push(registered);
        lists.push(listed);
        again.push(start(program, folder.path(), &mut kubelet).await?.0);
    }
    let [versions, first, again, lists] = [versions, first, again, lists].map(Sample::from_iter);
    table.row(&Figure::median("--version, exec to end", &versions, Unit::Ms))?;
    for (what, times) in [("after a boot", first), ("once more", again)] {
        let what = format!("exec to Register, {NICS} NICs, {what}");
        table.row(&Figure::median(&what, &times, Unit::Ms).limit(BUDGET_MS))?;
        let ratio = Figure::new("  against --version", times.median() / versions.median(), Unit::Ratio);
        table.row(&ratio.limit(BUDGET_RATIO).more("medians"))?;
    }
    table.row(&Figure::median(
        format!("exec to kubelet's list, {NICS} NICs"),
        &lists,
        Unit::Ms,
    ))?;
    Ok(())
}

fn version(program: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let status = command
        .status()
        .map_err(|error| format!("cannot start {}: {error}; `make build` makes it", program.display()))?;
    let took = began.elapsed();
    status
        .success()
        .then_some(took)
        .ok_or_else(|| format!("{} --version: {status}", program.display()).into())
}

/// From exec until kubelet has the call, and until it has the list.
async fn start(program: &Path, folder: &Path, kubelet: &mut Kubelet) -> Result<(Duration, Duration), Box<dyn Error>> {
    // A new life each time: the list of the dead plugin must not be taken for that of the new one.
    kubelet.restart()?;
    let mut plugin = Plugin::start(program, folder)?;
    if !kubelet
        .wait_until(PATIENCE, |kubelet| kubelet.registrations(RESOURCE) > 0)
        .await
    {
        return Err(format!("no Register within {PATIENCE:?}").into());
    }
    let registered = plugin.age();
    kubelet
        .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == NICS)
        .await?;
    let listed = plugin.age();
    plugin.terminate().await?;
    Ok((registered, listed))
}
