//! What systemd is told: ready, state in one line, alive, reloading, stopping. Without systemd nothing is.
//!
//! The loop that owns the state does the telling: should it hang, the watchdog gets no sign of life and the daemon is
//! started anew.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::host::files::{atomic_file, read};
use crate::host::notify_socket;
use crate::host::worker::Worker;
use crate::kubelet::streams::Streams;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::readiness::{Readiness, Tally};

/// Of the stamp in run_dir, which lasts as long as the boot.
const STAMP: &str = "first-start";

/// How long READY waits at most for the stamp that says so to a restart.
const STAMPING: Duration = Duration::from_millis(200);
/// How soon news is told again that systemd could not take, being busy itself.
const RETRY: Duration = Duration::from_millis(500);

/// Tells systemd how the daemon stands.
#[derive(Debug)]
pub struct Notifier {
    /// Whether somebody listens.
    is_heard: bool,
    stamp: Stamp,
    /// Whether the start has left its stamp.
    has_stamped: bool,
    /// That we are ready is being kept.
    stamping: Option<oneshot::Receiver<()>>,
    /// What systemd could not take yet.
    untold: String,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    streams: watch::Receiver<Streams>,
    readiness: Readiness,
    /// When no NIC is waited for any longer; none once ready.
    ready_at: Option<Instant>,
    /// Half of what the watchdog allows.
    interval: Option<Duration>,
    fed: Instant,
    told: Instant,
    status: String,
    is_ready: bool,
    is_reloading: bool,
}

impl Notifier {
    /// Leaves the stamp of the first start with the first [`tell`](Self::tell), since kubelet waits for what comes before.
    pub fn new(
        stamp: Stamp,
        grace: Duration,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        streams: watch::Receiver<Streams>,
    ) -> Self {
        let text = |path: &Path| start_of(path).unwrap_or_default();
        let now = since_boot();
        let boot_id = read::boot_id();
        let readiness = Readiness::new(&text(&stamp.run_dir.join(STAMP)), &boot_id, now, grace);
        let wait = readiness
            .deadline()
            .map_or(Duration::ZERO, |deadline| deadline.saturating_sub(now));
        Self {
            is_heard: notify_socket::is_there(),
            stamp,
            has_stamped: false,
            stamping: None,
            untold: String::new(),
            snapshots,
            streams,
            readiness,
            ready_at: Some(Instant::now() + wait),
            interval: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            fed: Instant::now(),
            told: Instant::now(),
            status: String::new(),
            is_ready: false,
            is_reloading: false,
        }
    }

    /// Waits until there is something to tell; then comes [`tell`](Self::tell).
    pub async fn due(&mut self) {
        if !self.is_heard {
            return std::future::pending().await;
        }
        let feeding = self.interval.map(|interval| self.fed + interval);
        let retry = (!self.untold.is_empty()).then(|| self.told + RETRY);
        let next = feeding.into_iter().chain(self.ready_at).chain(retry).min();
        tokio::select! {
            Ok(()) = self.snapshots.changed() => {}
            Ok(()) = self.streams.changed() => {}
            () = stamped(self.stamping.as_mut()), if self.stamping.is_some() => {}
            () = sleep_until(next.unwrap_or(self.fed)), if next.is_some() => {}
            else => std::future::pending().await,
        }
    }

    /// Tells what is new, and that the loop is alive.
    pub fn tell(&mut self) {
        if !std::mem::replace(&mut self.has_stamped, true) {
            drop(self.stamp.leave(self.readiness.stamp()));
        }
        if !self.is_heard {
            return;
        }
        let tally = Tally::new(&self.snapshots.borrow_and_update());
        let status = tally.status(self.streams.borrow_and_update().open > 0);
        let mut news = Vec::new();
        if !self.is_ready && self.stamping.is_none() && self.readiness.is_ready(since_boot(), tally) {
            self.readiness.reached();
            self.stamping = Some(self.stamp.leave(self.readiness.stamp()));
            self.ready_at = Some(Instant::now() + STAMPING);
        }
        if let Some(stamping) = &mut self.stamping {
            let is_late = self.ready_at.is_some_and(|late| late <= Instant::now());
            if stamping.try_recv() == Err(TryRecvError::Empty) && !is_late {
                return;
            }
            self.stamping = None;
            (self.is_ready, self.ready_at) = (true, None);
            news.push(NotifyState::Ready);
        }
        if self.is_ready && std::mem::take(&mut self.is_reloading) {
            news.push(NotifyState::Ready);
        }
        if self.status != status {
            news.push(NotifyState::Status(&status));
        }
        if self.interval.is_some() {
            news.push(NotifyState::Watchdog);
            self.fed = Instant::now();
        }
        self.send(&news);
        self.status = status;
    }

    /// SIGHUP has come; the next [`tell`](Self::tell) says that it is done. Before systemd knows us ready, nothing is said.
    pub fn reloading(&mut self) {
        if let (true, Ok(now)) = (self.is_ready, NotifyState::monotonic_usec_now()) {
            self.is_reloading = true;
            self.send(&[NotifyState::Reloading, now]);
        }
    }

    /// In order: after what systemd could not take before.
    fn send(&mut self, news: &[NotifyState<'_>]) {
        self.told = Instant::now();
        let before = std::mem::take(&mut self.untold);
        if !before.is_empty() && is_full(&notify_socket::send(&before, &[])) {
            // A sign of life is worth nothing later.
            let lasting = news.iter().filter(|news| !matches!(news, NotifyState::Watchdog));
            self.untold = latest(&(before + &lines(lasting)));
            return;
        }
        let text = lines(news.iter());
        if is_full(&notify_socket::send(&text, &[])) {
            self.untold = lines(news.iter().filter(|news| !matches!(news, NotifyState::Watchdog)));
        }
    }
}

/// The stamp of the first start.
#[derive(Debug)]
pub struct Stamp {
    run_dir: PathBuf,
    worker: Worker,
}

impl Stamp {
    /// In `run_dir`, by its worker.
    pub fn new(run_dir: &Path, worker: Worker) -> Self {
        let run_dir = run_dir.to_owned();
        Self { run_dir, worker }
    }

    /// What is returned ends with the attempt.
    fn leave(&self, text: String) -> oneshot::Receiver<()> {
        let run_dir = self.run_dir.clone();
        let leave = move || {
            if let Err(error) = atomic_file::replace(&run_dir, STAMP, None, text.as_bytes()) {
                tracing::warn!("a restart will not know of this start: {:#}", anyhow::Error::new(error));
            }
        };
        self.worker.submit(leave).unwrap_or_else(|not_done| {
            tracing::warn!("a restart will not know of this start: {not_done}");
            oneshot::channel().1
        })
    }
}

async fn stamped(stamping: Option<&mut oneshot::Receiver<()>>) {
    if let Some(stamping) = stamping {
        // Whatever became of it has been said.
        let _ = stamping.await;
    }
}

/// The end has begun.
pub fn stopping() {
    // It ends anyway.
    let _ = notify_socket::send(&lines([NotifyState::Stopping].iter()), &[]);
}

fn lines<'news>(news: impl Iterator<Item = &'news NotifyState<'news>>) -> String {
    news.map(|news| format!("{news}\n")).collect()
}

/// Without what a later line says anew.
fn latest(text: &str) -> String {
    let is_status = |line: &&str| line.starts_with("STATUS=");
    let status = text.lines().rfind(is_status);
    let others = text.lines().filter(|line| !is_status(line));
    others.chain(status).map(|line| format!("{line}\n")).collect()
}

fn is_full(sent: &io::Result<()>) -> bool {
    matches!(sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The same clock for all processes of a boot.
fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

fn start_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = read::regular(path, nix::libc::O_NOFOLLOW)?;
    file.take(128).read_to_string(&mut text)?;
    Ok(text)
}
