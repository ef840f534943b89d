//! What is said of isolation to others: the record in its directory, systemd, and the log.

use std::path::PathBuf;

use sd_notify::NotifyState;

use crate::host::files::atomic_file::{self, WriteOutcome};
use crate::host::notify_socket;
use crate::host::worker::Worker;
use crate::model::isolation::record::{CONNECTED, FILE, NicRecord, Record, SCHEMA};

/// Says it.
#[derive(Debug)]
pub struct Reporter {
    directory: PathBuf,
    worker: Worker,
    record: Record,
    written: Option<Record>,
    status: String,
    is_ready: bool,
}

impl Reporter {
    /// Of this process, in its directory.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            worker: Worker::new("record"),
            record: Record {
                schema: SCHEMA,
                pid: i32::try_from(std::process::id()).unwrap_or(0),
                connected: false,
                runtime: String::new(),
                reason: "not connected yet".to_owned(),
                nics: Vec::new(),
            },
            written: None,
            status: String::new(),
            is_ready: false,
        }
    }

    /// A runtime has said who it is.
    pub fn met(&mut self, runtime: &str) {
        runtime.clone_into(&mut self.record.runtime);
    }

    /// It asks us from here on.
    pub fn connected(&mut self) {
        tracing::info!("connected to {}", self.record.runtime);
        self.record.connected = true;
        self.record.reason.clear();
    }

    /// It does not any more, or not yet.
    pub fn lost(&mut self, reason: &str) {
        if self.record.connected || self.record.reason != reason {
            tracing::warn!("not connected to a container runtime; pods that begin now get no access to NICs: {reason}");
        }
        self.record.connected = false;
        reason.clone_into(&mut self.record.reason);
    }

    /// Whether one asks us.
    pub fn is_connected(&self) -> bool {
        self.record.connected
    }

    /// Tells what is new.
    pub fn report(&mut self, nics: Vec<NicRecord>) {
        self.record.nics = nics;
        self.tell_systemd();
        if self.written.as_ref() == Some(&self.record) {
            return;
        }
        let Ok(text) = serde_json::to_string_pretty(&self.record) else {
            return;
        };
        let directory = self.directory.clone();
        let was_connected = self.written.as_ref().map(|written| written.connected);
        let connection = Some(self.record.connected).filter(|connected| was_connected != Some(*connected));
        let write = move || {
            let text = text + "\n";
            let written = atomic_file::replace(&directory, FILE, None, text.as_bytes());
            let noted = match connection {
                Some(true) => atomic_file::replace(&directory, CONNECTED, None, b""),
                Some(false) => atomic_file::remove(&directory, CONNECTED),
                None => Ok(WriteOutcome::Unchanged),
            };
            if let Err(error) = written.and(noted) {
                tracing::warn!(
                    "it cannot be said how isolation stands: {:#}",
                    anyhow::Error::new(error)
                );
            }
        };
        if self.worker.submit(write).is_ok() {
            self.written = Some(self.record.clone());
        }
    }

    fn tell_systemd(&mut self) {
        let services: usize = self.record.nics.iter().map(|nic| nic.services.len()).sum();
        let status = if self.record.connected {
            format!("connected to {}, {services} services", self.record.runtime)
        } else {
            format!("not connected: {}", self.record.reason)
        };
        let is_new = self.record.connected && !self.is_ready;
        self.is_ready |= is_new;
        if !is_new && self.status == status {
            return;
        }
        let ready = if is_new {
            format!("{}\n", NotifyState::Ready)
        } else {
            String::new()
        };
        // It is told the next news.
        let _ = notify_socket::send(&format!("{ready}{}\n", NotifyState::Status(&status)), &[]);
        self.status = status;
    }

    /// Nothing is to be believed of it any more.
    pub async fn end(self) {
        let remove = move || {
            let removed = [FILE, CONNECTED].map(|name| atomic_file::remove(&self.directory, name));
            drop(removed);
        };
        // What stays behind is told from a living process's by the lock.
        let _ = self.worker.run_within(std::time::Duration::from_secs(1), remove).await;
    }
}
