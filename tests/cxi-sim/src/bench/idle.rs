//! What an idle plugin costs, and what the slow poll adds.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::time::sleep;

use super::{PATIENCE, RESOURCE};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

const NICS: usize = 8;
/// Helper threads end after 10 s without work, which is a wake-up, too.
const SETTLE: Duration = Duration::from_secs(12);
const WINDOW: Duration = Duration::from_secs(10);
/// Polls in a minute by default (`--pulse 30`).
const POLLS: f64 = 2.0;

/// What a process has used: CPU time in microseconds, and how often it was woken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) cpu_us: f64,
    wakeups: f64,
    /// None without strace.
    system_calls: Option<f64>,
}

pub(super) async fn run(plugin: &Path, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let without = window(plugin, "0").await?;
    // Ten polls in the window: one is a tenth.
    let with = window(plugin, "1").await?;
    let seconds = WINDOW.as_secs_f64();
    let per_minute = |value: f64| value * 60.0 / seconds;
    let one = |with: f64, without: f64| (with - without) / seconds;
    let (cpu, wakeups) = (one(with.cpu_us, without.cpu_us), one(with.wakeups, without.wakeups));
    let calls = with.system_calls.zip(without.system_calls);
    let calls = calls.map(|(with, without)| (one(with, without), per_minute(without)));
    for (what, polls) in [("--pulse 0", 0.0), ("--pulse 30", POLLS)] {
        writeln!(
            out,
            "idle minute, {NICS} NICs, {what:<11} cpu {:.0} us  wake-ups {:.0}  system calls {}",
            per_minute(without.cpu_us) + polls * cpu,
            per_minute(without.wakeups) + polls * wakeups,
            shown(calls.map(|(poll, idle)| idle + polls * poll)),
        )?;
    }
    writeln!(
        out,
        "one slow poll, {NICS} NICs              cpu {cpu:.0} us  wake-ups {wakeups:.1}  system calls {}",
        shown(calls.map(|(poll, _)| poll))
    )?;
    if calls.is_none() {
        writeln!(out, "SKIPPED system calls: strace is not installed, or may not trace")?;
    }
    Ok(())
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "?".to_owned(), |figure| format!("{figure:.0}"))
}

async fn window(plugin: &Path, pulse: &str) -> Result<Used, Box<dyn Error>> {
    let folder = scratch_dir()?;
    Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); NICS])?;
    let kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
    let plugin = Plugin::start_on(
        plugin,
        folder.path(),
        Some(&folder.path().join("node")),
        &["--pulse", pulse],
    )?;
    kubelet
        .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == NICS)
        .await?;
    let pid = plugin.pid().ok_or("the plugin has ended")?;
    sleep(SETTLE).await;
    let before = used(pid)?;
    sleep(WINDOW).await;
    let after = used(pid)?;
    Ok(Used {
        cpu_us: after.cpu_us - before.cpu_us,
        wakeups: after.wakeups - before.wakeups,
        system_calls: system_calls(pid, folder.path()).await,
    })
}

/// In a window of its own: what is traced is slow.
async fn system_calls(pid: u32, folder: &Path) -> Option<f64> {
    let table = folder.join("strace");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-p"])
        .arg(pid.to_string())
        .arg("-o")
        .arg(&table)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    sleep(WINDOW).await;
    kill(Pid::from_raw(i32::try_from(strace.id()?).ok()?), Signal::SIGINT).ok()?;
    strace.wait().await.ok()?;
    let table = fs::read_to_string(table).ok()?;
    // Nothing was called, or the last line is the sum.
    let total = table.lines().rev().find_map(|line| line.trim().strip_suffix("total"));
    total.map_or(Some(0.0), |calls| calls.trim().parse().ok())
}

/// Sums over the threads; none ends within the window.
pub(super) fn used(pid: u32) -> Result<Used, Box<dyn Error>> {
    let mut used = Used {
        cpu_us: 0.0,
        wakeups: 0.0,
        system_calls: None,
    };
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        let schedule = fs::read_to_string(thread.join("schedstat"))?;
        let nanoseconds: f64 = schedule.split(' ').next().unwrap_or_default().parse()?;
        used.cpu_us += nanoseconds / 1000.0;
        let status = fs::read_to_string(thread.join("status"))?;
        let switches = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        used.wakeups += switches.unwrap_or("0").trim().parse::<f64>()?;
    }
    Ok(used)
}
