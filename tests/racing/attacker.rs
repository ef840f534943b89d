//! Somebody who may write into a directory and does so at full speed while programs look at it and write into it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use fastrand::Rng;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// What is attacked, and with what.
pub struct Plan {
    /// Places whose files or directories are swapped for something else, and back.
    pub places: Vec<PathBuf>,
    /// Directories of which any entry is swapped, a temporary file in the middle of being written, too.
    pub directories: Vec<PathBuf>,
    /// Where links lead.
    pub targets: Vec<PathBuf>,
    /// A folder of the attacker's own on the same file system.
    pub stash: PathBuf,
}

/// At work until it is called off.
pub struct Attacker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Swaps>>,
}

/// How often something was swapped for what.
#[derive(Debug, Default)]
pub struct Swaps(BTreeMap<&'static str, u64>);

impl Attacker {
    pub fn start(plan: Plan, seed: u64) -> Self {
        fs::create_dir_all(&plan.stash).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            plan,
            rng: Rng::with_seed(seed),
            stop: stop.clone(),
            swaps: Swaps::default(),
        };
        let thread = thread::spawn(move || {
            while !work.stop.load(Ordering::Relaxed) {
                work.swap();
            }
            work.swaps
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Everything that it has swapped is back in its place afterwards, as far as the programs left it.
    pub fn call_off(mut self) -> Swaps {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    plan: Plan,
    rng: Rng,
    stop: Arc<AtomicBool>,
    swaps: Swaps,
}

impl Work {
    /// Puts something bad in a place for a moment, in one step each time. Whatever a program does to the place meanwhile
    /// makes a step fail, which is no matter.
    fn swap(&mut self) {
        let Some(place) = self.place() else { return };
        // Nobody but this thread makes links; it must not be what reaches outside by one.
        if place.parent().is_none_or(Path::is_symlink) {
            return;
        }
        let hand = self.plan.stash.join("hand");
        let what = self.make(&place, &hand);
        let exchange = || exchange(&hand, &place).is_ok();
        let was_there = exchange();
        if !was_there && (what == "nothing" || fs::rename(&hand, &place).is_err()) {
            remove(&hand);
            return;
        }
        *self.swaps.0.entry(what).or_default() += 1;
        self.linger();
        if !was_there || !exchange() {
            remove(&place);
            // What was there before comes back where a program has removed the bad one.
            if was_there {
                let _ = fs::rename(&hand, &place);
            }
        }
        remove(&hand);
    }

    fn place(&mut self) -> Option<PathBuf> {
        if !self.plan.directories.is_empty() && self.rng.u8(0..3) == 0 {
            let directory = self.rng.choice(&self.plan.directories)?;
            let entries: Vec<_> = fs::read_dir(directory).ok()?.flatten().collect();
            return self.rng.choice(entries).map(|entry| entry.path());
        }
        self.rng.choice(&self.plan.places).cloned()
    }

    /// Makes something bad and says what.
    fn make(&mut self, place: &Path, hand: &Path) -> &'static str {
        remove(hand);
        match self.rng.u8(0..16) {
            0 if nix::unistd::mkfifo(hand, Mode::S_IRWXU).is_ok() => "pipe",
            1 if UnixListener::bind(hand).is_ok() => "socket",
            2 if mknod(hand, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)).is_ok() => "device",
            3 if fs::create_dir(hand).is_ok() => "directory",
            4 if fs::write(hand, b"\0\xff{").is_ok() => "file",
            5 if symlink(place, hand).is_ok() => "loop",
            kind => {
                let mut target = self.rng.choice(&self.plan.targets).cloned().unwrap_or_default();
                if kind % 2 == 0 {
                    // From the root, wherever it is thought to be.
                    let below_root = target.strip_prefix("/").unwrap_or(&target);
                    target = Path::new(&"../".repeat(40)).join(below_root);
                }
                let _ = symlink(target, hand);
                "link"
            }
        }
    }

    /// From no time to some milliseconds: as short as between two system calls, and as long as a whole run.
    fn linger(&mut self) {
        let turns = 1_u32 << self.rng.u8(0..14);
        for _ in 0..turns {
            std::hint::spin_loop();
        }
        thread::yield_now();
    }
}

fn exchange(one: &Path, other: &Path) -> nix::Result<()> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
}

fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}

impl Swaps {
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Swaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} swaps {:?}", self.count(), self.0)
    }
}
