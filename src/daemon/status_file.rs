//! Keeps `status.json` true: one task that listens to what changes, and writes when something has.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::host::clock::unix_seconds;
use crate::host::files::atomic_file;
use crate::model::status::{self, KubeletState, NodeStatus, Status};

/// Owns the file.
#[derive(Debug)]
pub struct StatusFile {
    run_dir: PathBuf,
    node: watch::Receiver<Arc<NodeStatus>>,
    kubelet: watch::Receiver<KubeletState>,
    /// Changes now and then: the time to try again what has failed.
    tick: watch::Receiver<()>,
    status: Status,
    error: Option<String>,
}

impl StatusFile {
    /// Nothing is written yet.
    pub fn new(
        run_dir: PathBuf,
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
            error: None,
        }
    }

    /// Writes whenever something has changed, until nobody is left to change anything; then the file goes, as there is
    /// nothing any more that it says something about.
    pub async fn run(mut self) {
        let mut written = None;
        loop {
            self.take();
            if written.as_ref() != Some(&self.status) && self.write().await {
                written = Some(self.status.clone());
            }
            let failed = self.error.is_some();
            let goes_on = tokio::select! {
                changed = self.node.changed() => changed.is_ok(),
                changed = self.kubelet.changed() => changed.is_ok(),
                changed = self.tick.changed(), if failed => changed.is_ok(),
            };
            if !goes_on {
                break;
            }
        }
        let run_dir = self.run_dir;
        // What stays behind is told from a living daemon's by the lock.
        let _ = spawn_blocking(move || atomic_file::remove(&run_dir, status::FILE)).await;
    }

    /// Takes over what is now.
    fn take(&mut self) {
        let now = unix_seconds();
        let kubelet = self.kubelet.borrow_and_update().clone();
        if kubelet != self.status.kubelet {
            self.status.kubelet = kubelet;
            self.status.kubelet_since = now;
        }
        let mut node = NodeStatus::clone(&self.node.borrow_and_update());
        node.date(&self.status.node, now);
        self.status.node = node;
    }

    /// On a thread of its own, as the disk may be slow. What goes wrong is said once.
    async fn write(&mut self) -> bool {
        let (run_dir, status) = (self.run_dir.clone(), self.status.clone());
        let write = move || -> anyhow::Result<()> {
            let text = serde_json::to_string_pretty(&status)? + "\n";
            atomic_file::replace(&run_dir, status::FILE, None, text.as_bytes())?;
            Ok(())
        };
        let error = match spawn_blocking(write).await {
            Ok(written) => written.err(),
            Err(error) => Some(error.into()),
        };
        let error = error.map(|error| format!("{error:#}"));
        if let Some(error) = error.as_ref().filter(|_| self.error.is_none()) {
            tracing::warn!("cxi-device-plugin status will not know of this daemon: {error}");
        }
        self.error = error;
        self.error.is_none()
    }
}
