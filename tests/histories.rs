//! Random histories of a node, kubelet and the daemon: kubelet restarts, is deaf, stalls or forgets; directories are
//! renamed, removed, and reached by links that are re-pointed; reads hang and disks are full; NICs come, go and change;
//! admins cordon, configure and restart. Ten seconds after the last fault has ended, kubelet's list, the CDI file, the
//! daemon's record and a fresh look at the node agree.
//!
//! `CXI_RANDOM_SEED` repeats a run, `CXI_RANDOM_HISTORIES` says how many there are. Each has the seed after that of the one
//! before, so that a run of one history from its seed repeats it alone.
#![cfg(test)]

mod common;

#[path = "histories/agreement.rs"]
mod agreement;
#[path = "histories/faults.rs"]
mod faults;
#[path = "histories/steps.rs"]
mod steps;
#[path = "histories/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{network, say, setting};
use nix::unistd::Uid;
use world::{Rights, World};

const TEST: &str = "after_the_last_fault_kubelet_file_record_and_node_agree";
/// Most of a history is waiting, so more run at once than there are processors.
const WORKERS: usize = 4;
/// So many failures tell enough.
const MOST_FAILURES: usize = 20;

/// How a history went.
struct Outcome {
    steps: usize,
    /// From the last fault's end to agreement.
    took: Duration,
}

fn live(world: &mut World) -> Outcome {
    world.start_daemon();
    agreement::reach(world, Instant::now());
    for _ in 0..world.rng.usize(5..25) {
        world.step();
    }
    while !world.faults.is_empty() {
        world.end_any();
    }
    let took = agreement::reach(world, Instant::now());
    let steps = world.steps.borrow().len();
    Outcome { steps, took }
}

/// One history from its seed; what is said of it when it fails.
fn history(seed: u64, rights: Rights) -> Result<Outcome, String> {
    let mut world = World::new(seed, rights);
    catch_unwind(AssertUnwindSafe(|| live(&mut world))).map_err(|panic| {
        let texts = [
            panic.downcast_ref::<String>().map(String::as_str),
            panic.downcast_ref::<&str>().copied(),
        ];
        let why = texts.into_iter().flatten().next().unwrap_or("?");
        let log = world.log();
        let log: Vec<&str> = log.lines().rev().take(40).collect();
        let log: Vec<&str> = log.into_iter().rev().collect();
        format!(
            "history {seed}: {why}\n{}\nsteps:\n  {}\nthe log's end:\n  {}\n\
             alone: CXI_RANDOM_SEED={seed} CXI_RANDOM_HISTORIES=1 cargo test --test histories",
            world.describe(),
            world.steps.borrow().join("\n  "),
            log.join("\n  "),
        )
    })
}

#[test]
fn after_the_last_fault_kubelet_file_record_and_node_agree() {
    // Who is not root may be that in a namespace of his own, where those are allowed.
    let namespaces = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--net", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !Uid::effective().is_root() && namespaces && !network::is_own(TEST) {
        return;
    }
    let first: u64 = setting("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let count: u64 = setting("CXI_RANDOM_HISTORIES").unwrap_or(50);
    say(&format!("{count} histories: CXI_RANDOM_SEED={first}"));
    let began = Instant::now();
    let (next, failures, outcomes) = (AtomicU64::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (next, failures, outcomes) = (&next, &failures, &outcomes);
            scope.spawn(move || {
                let rights = Rights::take();
                if worker == 0 {
                    for (has, what) in [
                        (rights.mounts, "disks that are full"),
                        (rights.hangs, "reads that hang"),
                        (rights.events, "events of the kernel"),
                    ] {
                        if !has {
                            say(&format!("histories without {what}: not allowed here"));
                        }
                    }
                }
                while failures.lock().unwrap().len() < MOST_FAILURES {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    match history(first + number, rights) {
                        Ok(outcome) => outcomes.lock().unwrap().push(outcome),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                    if (number + 1) % 100 == 0 {
                        say(&format!("histories: {} of {count}", number + 1));
                    }
                }
            });
        }
    });
    let (failures, mut outcomes) = (failures.into_inner().unwrap(), outcomes.into_inner().unwrap());
    outcomes.sort_by_key(|outcome| outcome.took);
    let steps: usize = outcomes.iter().map(|outcome| outcome.steps).sum();
    let took = |index: usize| outcomes.get(index).map_or(0, |outcome| outcome.took.as_millis());
    say(&format!(
        "{} of {count} histories agree, {steps} steps in {} s; agreement took {} ms in the median, {} ms at most \
         (CXI_RANDOM_SEED={first})",
        outcomes.len(),
        began.elapsed().as_secs(),
        took(outcomes.len() / 2),
        took(outcomes.len().saturating_sub(1)),
    ));
    assert!(
        failures.is_empty(),
        "{} histories do not:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
