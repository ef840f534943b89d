//! What a process has used, and what it holds.

use std::error::Error;
use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use tokio::time::sleep;

/// How long a process that has begun something is watched for rest.
const REST: Duration = Duration::from_millis(500);
const LOOKS_FOR_REST: usize = 40;

/// The CPU time of a process to the nanosecond, of threads that have ended, too. What `/proc/PID/stat` says is counted in
/// ticks, and `/proc/PID/schedstat` knows one thread.
pub(super) fn cpu(pid: u32) -> Result<Duration, Box<dyn Error>> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
    Ok(clock.now()?.into())
}

/// How often its threads have gone to sleep and were woken. Those that have ended do not count.
pub(super) fn wakeups(pid: u32) -> Result<f64, Box<dyn Error>> {
    let mut wakeups = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let switches = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        wakeups += switches.unwrap_or("0").trim().parse::<f64>()?;
    }
    Ok(wakeups)
}

/// Waits until the process needs no CPU, but not for ever: some never rest.
pub(super) async fn rest(pid: u32) -> Result<(), Box<dyn Error>> {
    let mut before = cpu(pid)?;
    for _ in 0..LOOKS_FOR_REST {
        sleep(REST).await;
        let now = cpu(pid)?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(())
}

/// What is resident, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub total: u32,
    pub anonymous: u32,
    /// Of files: the program itself and libraries.
    pub file: u32,
}

/// Reads how much of a process is in memory, and how many threads it has.
pub(super) fn memory(pid: u32) -> Result<(Memory, usize), Box<dyn Error>> {
    // The kernel counts pages for status in batches, for the rollup one by one; not everybody may read that.
    let memory = match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => of_rollup(&text),
        Err(_) => of_status(&fs::read_to_string(format!("/proc/{pid}/status"))?),
    };
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?.count();
    Ok((memory.ok_or("the kernel does not say what is resident")?, threads))
}

fn of_rollup(text: &str) -> Option<Memory> {
    let (total, anonymous) = (field(text, "Rss:")?, field(text, "Anonymous:")?);
    Some(Memory {
        total,
        anonymous,
        file: total.saturating_sub(anonymous),
    })
}

fn of_status(text: &str) -> Option<Memory> {
    Some(Memory {
        total: field(text, "VmRSS:")?,
        anonymous: field(text, "RssAnon:")?,
        file: field(text, "RssFile:")?,
    })
}

/// A number of KiB.
fn field(text: &str, name: &str) -> Option<u32> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn memory_is_split_by_what_it_is() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:                5432 kB\nPss:   4000 kB\n\
                      Pss_Anon:           1000 kB\nAnonymous:          1232 kB\n";
        let memory = Memory {
            total: 5432,
            anonymous: 1232,
            file: 4200,
        };
        assert_eq!(of_rollup(rollup), Some(memory));
        let status = "Name:\tx\nVmRSS:\t    5432 kB\nRssAnon:\t    1232 kB\nRssFile:\t    4200 kB\nRssShmem:\t 0 kB\n";
        assert_eq!(of_status(status), Some(memory));
        assert_eq!(of_rollup("Rss: much\n"), None);
    }

    #[test]
    fn the_time_of_threads_that_have_ended_counts() {
        let before = cpu(process::id()).unwrap();
        let worked = std::thread::spawn(|| {
            let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
            while Duration::from(clock.now().unwrap()) < Duration::from_millis(20) {}
        });
        worked.join().unwrap();
        let used = cpu(process::id()).unwrap().saturating_sub(before);
        assert!(used >= Duration::from_millis(20), "{used:?}");
    }

    #[test]
    fn this_process_is_measured() {
        let (memory, threads) = memory(process::id()).unwrap();
        assert!(
            memory.total > 0 && memory.total >= memory.anonymous && threads > 0,
            "{memory:?}"
        );
        assert!(wakeups(process::id()).is_ok());
    }
}
