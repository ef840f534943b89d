//! What events cost as long as they come, with few NICs and with many.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Counts;
use super::process;
use super::stage::Stage;
use super::table::{Figure, Table, Unit};

const SLOW: u32 = 25;
const BUDGET_MS: f64 = 1.0;
const FAST: u32 = 1_000;

/// The settle time grows to a second in a storm: the last look comes after it.
const LAST_LOOK: Duration = Duration::from_millis(1_500);

/// What one storm took.
struct Storm {
    cpu: Duration,
    took: Duration,
    events: u32,
}

impl Storm {
    fn ms_per_event(&self) -> f64 {
        self.cpu.as_secs_f64() * 1_000.0 / f64::from(self.events.max(1))
    }

    /// Percent of one CPU.
    fn share(&self) -> f64 {
        self.cpu.as_secs_f64() * 100.0 / self.took.as_secs_f64()
    }

    fn more(&self) -> String {
        format!(
            "{} uevents in {:.1} s, {:.1} % of a CPU, {:.3} ms each",
            self.events,
            self.took.as_secs_f64(),
            self.share(),
            self.ms_per_event()
        )
    }
}

/// In this thread's network namespace, which is our own.
pub(super) async fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let mut first = None;
    for &nics in &counts.nics {
        let storm = storm(program, nics, SLOW, counts, table).await?;
        let (what, cost) = (
            format!("CPU per event, {SLOW} events/s, {nics} NICs"),
            storm.ms_per_event(),
        );
        table.row(&Figure::new(what, cost, Unit::Ms).limit(BUDGET_MS).more(storm.more()))?;
        let (fewer, base) = *first.get_or_insert((nics, cost));
        if fewer != nics {
            let what = format!("  {nics} NICs against {fewer}");
            table.row(&Figure::new(what, cost / base, Unit::Ratio).more("flat is 1"))?;
        }
    }
    for &nics in counts.nics.iter().skip(1) {
        let storm = storm(program, nics, FAST, counts, table).await?;
        let what = format!("CPU share, {FAST} events/s, {nics} NICs");
        table.row(&Figure::new(what, storm.share(), Unit::Cpu).more(storm.more()))?;
    }
    Ok(())
}

/// So many events a second, each of the next NIC. Nothing has changed when the plugin looks.
async fn storm(
    program: &Path,
    nics: usize,
    in_a_second: u32,
    counts: &Counts,
    table: &mut Table<'_>,
) -> Result<Storm, Box<dyn Error>> {
    let seconds = counts.storm_seconds;
    table.progress(format!("{in_a_second} events/s for {seconds} s, {nics} NICs"))?;
    let stage = Stage::new(program, nics, &["--pulse", "0"]).await?;
    let changes = stage.node.idle_changes()?;
    process::rest(stage.pid).await?;
    let mut clock = interval(Duration::from_secs(1) / in_a_second);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let events = u32::try_from(seconds)?.saturating_mul(in_a_second);
    let (began, before) = (Instant::now(), process::cpu(stage.pid)?);
    for number in 0..usize::try_from(events)? {
        clock.tick().await;
        changes.tell(number)?;
    }
    let took = began.elapsed();
    sleep(LAST_LOOK).await;
    let cpu = process::cpu(stage.pid)?.saturating_sub(before);
    Ok(Storm { cpu, took, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_told_by_event_and_by_time() {
        let storm = Storm {
            cpu: Duration::from_millis(250),
            took: Duration::from_secs(20),
            events: 500,
        };
        assert_eq!(storm.more(), "500 uevents in 20.0 s, 1.2 % of a CPU, 0.500 ms each");
    }
}
