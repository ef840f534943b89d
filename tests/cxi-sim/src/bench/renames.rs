//! What it costs when other programs rename files in kubelet's directory all the time: kubelet itself replaces its checkpoint
//! there with each pod.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::sample::Sample;
use super::stage::Stage;
use super::table::{Figure, Table, Unit};
use super::{Counts, RESOURCE, process};

const NICS: usize = 8;
const IN_A_SECOND: u32 = 780;
/// An Allocate with each so many renames.
const ALLOCATE: u32 = 39;

/// Renames of files that are nothing to us, and of some that have the name of another plugin for our resource.
pub(super) async fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    measure("foreign", "kubelet_internal_checkpoint", program, counts, table).await?;
    measure("rivals'", &RESOURCE.replace('/', "_"), program, counts, table).await
}

async fn measure(
    what: &str,
    name: &str,
    program: &Path,
    counts: &Counts,
    table: &mut Table<'_>,
) -> Result<(), Box<dyn Error>> {
    table.progress(format!("{} {what} renames in kubelet's directory", counts.renames))?;
    let stage = Stage::new(program, NICS, &[]).await?;
    let ids = stage.one_nic()?;
    let directory = stage.folder.path().join("kubelet");
    let (place, new) = (directory.join(name), directory.join(".new"));
    fs::write(&new, "")?;
    let mut clock = interval(Duration::from_secs(1) / IN_A_SECOND);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, before) = (Instant::now(), process::cpu(stage.pid)?);
    let mut calls = Vec::new();
    for count in 0..counts.renames {
        clock.tick().await;
        let (from, to) = if count % 2 == 0 { (&new, &place) } else { (&place, &new) };
        fs::rename(from, to)?;
        if count % ALLOCATE == 0 {
            let called = Instant::now();
            stage.kubelet.allocate(RESOURCE, vec![ids.clone()]).await?;
            calls.push(called.elapsed());
        }
    }
    let (after, took) = (process::cpu(stage.pid)?, began.elapsed());
    let share = after.saturating_sub(before).as_secs_f64() * 100.0 / took.as_secs_f64();
    let in_a_second = f64::from(counts.renames) / took.as_secs_f64();
    let figure = Figure::new(format!("CPU share, {IN_A_SECOND} {what} renames/s"), share, Unit::Cpu);
    table.row(&figure.more(format!(
        "in kubelet's directory, {in_a_second:.0}/s in fact, {NICS} NICs"
    )))?;
    let calls = Sample::from_iter(calls);
    let figure = Figure::new("  Allocate meanwhile, p99", calls.percentile(99), Unit::Us);
    table.row(&figure.more(format!("{}, median {:.0} us", calls.spread(), calls.median())))?;
    Ok(())
}
