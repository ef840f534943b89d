//! Allocate beside a call that does nothing, what so many of them leave in memory, and how soon a new kubelet is served.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use super::process::{self, Memory};
use super::sample::Sample;
use super::stage::Stage;
use super::table::{Figure, Table, Unit};
use super::{Counts, PATIENCE, RESOURCE};
use crate::kubelet::pb;

const NICS: usize = 8;
const BUDGET_P99_US: f64 = 150.0;
const BUDGET_RATIO: f64 = 1.3;
const BUDGET_MB: f64 = 6.0;
const AIM_MB: f64 = 5.0;
const AIM_RESTART_MS: f64 = 500.0;

pub(super) async fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    table.progress(format!("{} Allocates", counts.allocates))?;
    let mut stage = Stage::new(program, NICS, &[]).await?;
    process::rest(stage.pid).await?;
    let at_first = process::memory(stage.pid)?;
    allocates(&stage, counts, table).await?;
    memory("RSS after the start", at_first, table)?;
    let after = format!("RSS after {} Allocates", counts.allocates);
    memory(&after, process::memory(stage.pid)?, table)?;

    table.progress(format!("{} restarts of kubelet", counts.restarts))?;
    let mut restarts = Vec::new();
    for _ in 0..counts.restarts {
        stage.kubelet.stop();
        let began = Instant::now();
        stage.kubelet.boot()?;
        stage
            .kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == NICS)
            .await?;
        restarts.push(began.elapsed());
    }
    let restarts = Sample::from_iter(restarts);
    table.row(&Figure::median("kubelet's start to its list", &restarts, Unit::Ms).aim(AIM_RESTART_MS))?;
    Ok(())
}

/// Both calls in turns, on kubelet's own connection.
async fn allocates(stage: &Stage, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let mut client = stage.kubelet.client(RESOURCE).ok_or("kubelet has no connection")?;
    let container = pb::ContainerAllocateRequest {
        devices_ids: stage.one_nic()?,
    };
    let request = pb::AllocateRequest {
        container_requests: vec![container],
    };
    let (mut allocates, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..counts.allocates {
        let request = request.clone();
        let began = Instant::now();
        client.allocate(request).await?;
        allocates.push(began.elapsed());
        let began = Instant::now();
        client.get_device_plugin_options(pb::Empty {}).await?;
        empty.push(began.elapsed());
    }
    let [allocates, empty] = [allocates, empty].map(Sample::from_iter);
    for percent in [50, 99] {
        let (allocate, empty) = (allocates.percentile(percent), empty.percentile(percent));
        let figure = Figure::new(format!("Allocate, there and back, p{percent}"), allocate, Unit::Us);
        let figure = figure.more(format!("n {}, an empty call {empty:.0} us", counts.allocates));
        table.row(&if percent == 99 {
            figure.limit(BUDGET_P99_US)
        } else {
            figure
        })?;
        let what = format!("  against an empty call, p{percent}");
        table.row(&Figure::new(what, allocate / empty, Unit::Ratio).limit(BUDGET_RATIO))?;
    }
    Ok(())
}

fn memory(what: &str, (memory, threads): (Memory, usize), table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let megabytes = |kibibytes: u32| f64::from(kibibytes) * 1024.0 / 1_000_000.0;
    let more = format!(
        "{} KiB: anonymous {}, of files {}; {threads} threads",
        memory.total, memory.anonymous, memory.file
    );
    let figure = Figure::new(what, megabytes(memory.total), Unit::Megabytes).more(more);
    table.row(&figure.limit(BUDGET_MB).aim(AIM_MB))?;
    Ok(())
}
