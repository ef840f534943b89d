//! What systemd is told: ready, state in one line, alive, reloading, stopping. Without systemd nothing is.
//!
//! The loop that owns the state does the telling: should it hang, the watchdog gets no sign of life and the daemon is
//! started anew.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::host::files::atomic_file;

use crate::kubelet::streams::Streams;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::readiness::{Readiness, Tally};

/// Of the stamp in run_dir, which lasts as long as the boot.
const STAMP: &str = "first-start";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Tells systemd how the daemon stands.
#[derive(Debug)]
pub struct Notifier {
    /// Whether somebody listens.
    is_heard: bool,
    run_dir: PathBuf,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    streams: watch::Receiver<Streams>,
    readiness: Readiness,
    /// When no NIC is waited for any longer; none once ready.
    ready_at: Option<Instant>,
    /// Half of what the watchdog allows.
    interval: Option<Duration>,
    fed: Instant,
    status: String,
    is_ready: bool,
    is_reloading: bool,
}

impl Notifier {
    /// Leaves the stamp of the first start.
    pub fn new(
        run_dir: &Path,
        grace: Duration,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        streams: watch::Receiver<Streams>,
    ) -> Self {
        let text = |path: &Path| start_of(path).unwrap_or_default();
        let now = since_boot();
        let boot_id = text(Path::new(BOOT_ID));
        let readiness = Readiness::new(&text(&run_dir.join(STAMP)), boot_id.trim_end(), now, grace);
        let wait = readiness
            .deadline()
            .map_or(Duration::ZERO, |deadline| deadline.saturating_sub(now));
        let notifier = Self {
            is_heard: std::env::var_os("NOTIFY_SOCKET").is_some(),
            run_dir: run_dir.to_owned(),
            snapshots,
            streams,
            readiness,
            ready_at: Some(Instant::now() + wait),
            interval: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            fed: Instant::now(),
            status: String::new(),
            is_ready: false,
            is_reloading: false,
        };
        notifier.leave_stamp();
        notifier
    }

    /// Waits until there is something to tell; then comes [`tell`](Self::tell).
    pub async fn due(&mut self) {
        if !self.is_heard {
            return std::future::pending().await;
        }
        let feeding = self.interval.map(|interval| self.fed + interval);
        let next = feeding.into_iter().chain(self.ready_at).min();
        tokio::select! {
            Ok(()) = self.snapshots.changed() => {}
            Ok(()) = self.streams.changed() => {}
            () = sleep_until(next.unwrap_or(self.fed)), if next.is_some() => {}
            else => std::future::pending().await,
        }
    }

    /// Tells what is new, and that the loop is alive.
    pub fn tell(&mut self) {
        if !self.is_heard {
            return;
        }
        let tally = Tally::new(&self.snapshots.borrow_and_update());
        let status = tally.status(self.streams.borrow_and_update().open > 0);
        let mut news = Vec::new();
        if !self.is_ready && self.readiness.is_ready(since_boot(), tally) {
            self.readiness.reached();
            self.leave_stamp();
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
        send(&news);
        self.status = status;
    }

    /// SIGHUP has come; the next [`tell`](Self::tell) says that it is done. Before systemd knows us ready, nothing is said.
    pub fn reloading(&mut self) {
        if let (true, Ok(now)) = (self.is_ready, NotifyState::monotonic_usec_now()) {
            self.is_reloading = true;
            send(&[NotifyState::Reloading, now]);
        }
    }

    fn leave_stamp(&self) {
        if let Err(error) = atomic_file::replace(&self.run_dir, STAMP, None, self.readiness.stamp().as_bytes()) {
            tracing::warn!("a restart will not know of this start: {error}");
        }
    }
}

/// The end has begun.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(news: &[NotifyState<'_>]) {
    if news.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!("systemd does not listen: {error}");
    }
}

/// The same clock for all processes of a boot.
fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

fn start_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(128).read_to_string(&mut text)?;
    Ok(text)
}
