//! What an idle plugin costs, and what the slow poll adds.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::time::sleep;

use super::stage::Stage;
use super::table::{Figure, Table, Unit};
use super::{Counts, process};

const NICS: usize = 8;
/// Polls in a minute by default (`--pulse 30`).
const POLLS: f64 = 2.0;
const BUDGET_MS: f64 = 5.0;
const AIM_MS: f64 = 2.0;

/// What a plugin has used in a second.
#[derive(Debug, Clone, Copy)]
struct Use {
    cpu_ms: f64,
    wakeups: f64,
    /// None without strace.
    system_calls: Option<f64>,
}

impl Use {
    /// What a poll adds, when one comes each `pulse` seconds.
    fn of_poll(with: Self, without: Self, pulse: f64) -> Self {
        Self {
            cpu_ms: (with.cpu_ms - without.cpu_ms) * pulse,
            wakeups: (with.wakeups - without.wakeups) * pulse,
            system_calls: with
                .system_calls
                .zip(without.system_calls)
                .map(|(a, b)| (a - b) * pulse),
        }
    }

    /// A minute of this with so many polls.
    fn minute(self, polls: f64, poll: Self) -> Self {
        Self {
            cpu_ms: self.cpu_ms * 60.0 + polls * poll.cpu_ms,
            wakeups: self.wakeups * 60.0 + polls * poll.wakeups,
            system_calls: self
                .system_calls
                .zip(poll.system_calls)
                .map(|(idle, poll)| idle * 60.0 + polls * poll),
        }
    }

    fn more(&self) -> String {
        let calls = self
            .system_calls
            .map_or_else(|| "?".to_owned(), |calls| format!("{calls:.0}"));
        format!("wake-ups {:.1}, system calls {calls}", self.wakeups)
    }
}

pub(super) async fn run(program: &Path, counts: &Counts, table: &mut Table<'_>) -> Result<(), Box<dyn Error>> {
    let (pulse, polls) = (counts.pulse.max(1), counts.polls.max(1));
    let window = Duration::from_secs(pulse.saturating_mul(polls));
    let settle = Duration::from_secs(counts.settle);
    table.progress(format!(
        "idling: {} s, then {} s with strace",
        (settle + window).as_secs(),
        window.as_secs()
    ))?;
    // At the same time: neither disturbs the other, and their CPU time is told apart.
    let shorter = pulse.to_string();
    let (without, with) = tokio::join!(
        watch(program, "0", settle, window),
        watch(program, &shorter, settle, window)
    );
    let (without, with) = (without?, with?);
    let seconds = f64::from(u32::try_from(pulse)?);
    let poll = Use::of_poll(with, without, seconds);
    let off = without.minute(0.0, poll);
    let on = without.minute(POLLS, poll);
    let figure = |what: &str, used: Use| Figure::new(format!("{what}, {NICS} NICs"), used.cpu_ms, Unit::Ms);
    table.row(
        &figure("CPU of an idle minute, no poll", off)
            .limit(0.0)
            .more(off.more()),
    )?;
    let by = format!("{}; by {polls} polls, one each {pulse} s", on.more());
    table.row(
        &figure("CPU of an idle minute, --pulse 30", on)
            .limit(BUDGET_MS)
            .aim(AIM_MS)
            .more(by),
    )?;
    table.row(&figure("CPU of one slow poll", poll).more(poll.more()))?;
    if poll.system_calls.is_none() {
        table.skipped("system calls", "strace is not installed, or may not trace")?;
    }
    Ok(())
}

async fn watch(program: &Path, pulse: &str, settle: Duration, window: Duration) -> Result<Use, Box<dyn Error>> {
    let stage = Stage::new(program, NICS, &["--pulse", pulse]).await?;
    sleep(settle).await;
    let (began, cpu, wakeups) = (Instant::now(), process::cpu(stage.pid)?, process::wakeups(stage.pid)?);
    sleep(window).await;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = process::cpu(stage.pid)?.saturating_sub(cpu);
    let wakeups = process::wakeups(stage.pid)? - wakeups;
    let calls = system_calls(stage.pid, stage.folder.path(), window).await;
    Ok(Use {
        cpu_ms: cpu.as_secs_f64() * 1_000.0 / seconds,
        wakeups: wakeups / seconds,
        system_calls: calls.map(|calls| calls / window.as_secs_f64()),
    })
}

/// In a window of its own: what is traced is slow.
async fn system_calls(pid: u32, folder: &Path, window: Duration) -> Option<f64> {
    let table = folder.join("strace");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-p"])
        .arg(pid.to_string())
        .arg("-o")
        .arg(&table)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    sleep(window).await;
    // It may not trace.
    if strace.try_wait().ok()?.is_some() {
        return None;
    }
    kill(Pid::from_raw(i32::try_from(strace.id()?).ok()?), Signal::SIGINT).ok()?;
    strace.wait().await.ok()?;
    let table = fs::read_to_string(table).ok()?;
    // Nothing was called, or the last line is the sum.
    let total = table.lines().rev().find_map(|line| line.trim().strip_suffix("total"));
    total.map_or(Some(0.0), |calls| calls.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_what_idling_takes_and_two_polls() {
        let used = |cpu_ms, wakeups, system_calls| Use {
            cpu_ms,
            wakeups,
            system_calls,
        };
        // A poll each two seconds.
        let without = used(0.01, 0.5, Some(1.0));
        let poll = Use::of_poll(used(0.51, 1.5, Some(201.0)), without, 2.0);
        assert_eq!(poll.more(), "wake-ups 2.0, system calls 400");
        let minute = without.minute(POLLS, poll);
        assert_eq!(format!("{:.1}", minute.cpu_ms), "2.6");
        assert_eq!(minute.more(), "wake-ups 34.0, system calls 860");
        let off = without.minute(0.0, Use::of_poll(used(1.0, 1.0, None), without, 2.0));
        assert_eq!(
            (format!("{:.1}", off.cpu_ms), off.more()),
            ("0.6".to_owned(), "wake-ups 30.0, system calls ?".to_owned())
        );
    }
}
