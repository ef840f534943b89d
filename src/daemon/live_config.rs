//! The configuration of a running daemon: read anew at SIGHUP, and refused as a whole if it cannot be used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::log::LogLevel;
use crate::host::worker::Worker;
use crate::model::config::{LoadedConfig, Settings};
use crate::model::message_id;

/// How long the files may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the configuration from wherever the start of the daemon has said: files, environment, flags.
#[derive(Clone)]
pub struct ConfigReader(Arc<dyn Fn() -> anyhow::Result<LoadedConfig> + Send + Sync>);

impl ConfigReader {
    /// Reads by this.
    pub fn new(read: impl Fn() -> anyhow::Result<LoadedConfig> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn read(&self) -> anyhow::Result<LoadedConfig> {
        (self.0)()
    }
}

impl fmt::Debug for ConfigReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigReader").finish_non_exhaustive()
    }
}

/// What counts, and from where to read it anew.
#[derive(Debug)]
pub struct LiveConfig {
    reader: ConfigReader,
    loaded: LoadedConfig,
    level: LogLevel,
    worker: Worker,
}

impl LiveConfig {
    /// As the daemon was started.
    pub fn new(reader: ConfigReader, loaded: LoadedConfig, level: LogLevel) -> Self {
        Self {
            reader,
            loaded,
            level,
            worker: Worker::later("config"),
        }
    }

    /// Has the thread that reads it anew.
    pub fn be_ready(&self) {
        self.worker.be_ready();
    }

    /// What counts.
    pub fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// Reads it anew, off the loop, since a file system may hang. Returns whether there is something new that counts.
    pub async fn reload(&mut self) -> bool {
        let reader = self.reader.clone();
        let read = self.worker.run_within(PATIENCE, move || reader.read()).await;
        let read = read.map_err(|not_done| anyhow::Error::from(not_done).context("cannot read it"));
        let next = match read.and_then(|read| read) {
            Ok(next) => next,
            Err(error) => {
                let reason = format!("{error:#}");
                tracing::error!(
                    message_id = message_id::CONFIG_REFUSED,
                    reason,
                    "the configuration stays as it was: {reason}"
                );
                return false;
            }
        };
        let changes = self.loaded.changes(&next);
        if !changes.needs_restart.is_empty() {
            tracing::warn!("in effect only after a restart: {}", changes.needs_restart.join(", "));
        }
        if changes.now.is_empty() {
            tracing::info!("read the configuration: nothing in it has changed that counts now");
            return false;
        }
        self.loaded = next.keeping_fixed_of(&self.loaded);
        self.level.set(self.loaded.settings.log.level);
        let (now, late) = (changes.now.join(", "), changes.needs_restart.join(", "));
        tracing::info!(
            message_id = message_id::CONFIG_READ,
            now,
            late,
            "read the configuration: now in effect: {now}"
        );
        true
    }
}
