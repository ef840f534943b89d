//! Keeps `status.json` true: one task that listens to what changes, and writes when something has.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::host::clock::unix_seconds;
use crate::host::failure_log::FailureLog;
use crate::host::files::atomic_file::{self, StoreError, WriteOutcome};
use crate::host::files::stamp::State;
use crate::host::worker::Worker;
use crate::model::status::{self, KubeletState, NodeStatus, Status};

/// How long the directory may take to answer before that is said.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the end waits for it.
const END: Duration = Duration::from_secs(1);
/// When what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often, at most, the file is looked at without news: somebody may have changed or removed it.
const CHECK: Duration = Duration::from_secs(1);

/// Owns the file.
#[derive(Debug)]
pub struct StatusFile {
    run_dir: PathBuf,
    node: watch::Receiver<Arc<NodeStatus>>,
    kubelet: watch::Receiver<KubeletState>,
    /// Changes now and then: the time to try again what has failed.
    tick: watch::Receiver<()>,
    status: Status,
    worker: Worker,
    failure_log: FailureLog,
}

impl StatusFile {
    /// Nothing is written yet. The worker is that of `run_dir`.
    pub fn new(
        run_dir: PathBuf,
        worker: Worker,
        node: watch::Receiver<Arc<NodeStatus>>,
        kubelet: watch::Receiver<KubeletState>,
        tick: watch::Receiver<()>,
    ) -> Self {
        let now = unix_seconds();
        let status = Status {
            schema: status::SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: now,
            kubelet: KubeletState::default(),
            kubelet_since: now,
            node: NodeStatus::default(),
        };
        Self {
            run_dir,
            node,
            kubelet,
            tick,
            status,
            worker,
            failure_log: FailureLog::new(
                "cxi-device-plugin status will not know of this daemon",
                "cxi-device-plugin status knows of this daemon again",
            ),
        }
    }

    /// Writes whenever something has changed, until nobody is left to change anything; then the file goes, as there is
    /// nothing any more that it says something about.
    pub async fn run(mut self) {
        let mut text: Arc<str> = Arc::from("");
        let mut found = None;
        loop {
            if self.take() || text.is_empty() {
                text = match serde_json::to_string_pretty(&self.status) {
                    Ok(text) => Arc::from(text + "\n"),
                    Err(error) => return self.failure_log.note(Err(error)),
                };
                found = None;
            }
            let is_written = self.write(Arc::clone(&text), &mut found).await;
            if !self.news(Instant::now(), is_written).await {
                break;
            }
        }
        let run_dir = self.run_dir;
        let remove = move || drop(atomic_file::remove(&run_dir, status::FILE));
        // What stays behind is told from a living daemon's by the lock.
        let _ = timeout(END, self.worker.run(remove)).await;
    }

    /// Waits for news, or until it is time to look at the file. Returns whether anybody is left who could have news.
    async fn news(&mut self, checked: Instant, is_written: bool) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(checked + RETRY), if !is_written => return true,
                changed = self.node.changed() => return changed.is_ok(),
                changed = self.kubelet.changed() => return changed.is_ok(),
                changed = self.tick.changed() => match changed {
                    Ok(()) if checked.elapsed() < CHECK => {}
                    changed => return changed.is_ok(),
                },
            }
        }
    }

    /// Takes over what is now. Returns whether that is news.
    fn take(&mut self) -> bool {
        let now = unix_seconds();
        let kubelet = self.kubelet.borrow_and_update();
        let has_new_kubelet = *kubelet != self.status.kubelet;
        if has_new_kubelet {
            self.status.kubelet.clone_from(&kubelet);
            self.status.kubelet_since = now;
        }
        let mut node = NodeStatus::clone(&self.node.borrow_and_update());
        node.date(&self.status.node, now);
        let has_new_node = node != self.status.node;
        self.status.node = node;
        has_new_kubelet || has_new_node
    }

    /// Off the loop, as the disk may be slow. What is there already is not written again, and not read again where it is as
    /// it was `found`.
    async fn write(&mut self, text: Arc<str>, found: &mut Option<State>) -> bool {
        let (run_dir, before) = (self.run_dir.clone(), *found);
        let write = move || {
            let time = SystemTime::now();
            let now = State::of(&run_dir.join(status::FILE));
            if before.is_some() && before == now {
                return Ok(now);
            }
            let outcome = atomic_file::replace(&run_dir, status::FILE, None, text.as_bytes())?;
            let is_sure = |state: &State| outcome == WriteOutcome::Unchanged && state.is_settled(time);
            Ok(now.filter(is_sure))
        };
        let went: Result<Result<_, StoreError>, _> = self.worker.run_within(PATIENCE, write).await;
        let is_written = matches!(went, Ok(Ok(_)));
        *found = went
            .as_ref()
            .ok()
            .and_then(|went| went.as_ref().ok().copied().flatten());
        self.failure_log
            .note_work(self.run_dir.display(), went.map(|went| went.map(drop)));
        is_written
    }
}
