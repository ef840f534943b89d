//! The configuration of a running daemon: read anew at SIGHUP, and refused as a whole if it cannot be used.

use super::log::LogLevel;
use std::fmt;
use std::sync::Arc;

use crate::model::config::{LoadedConfig, Settings};
use crate::model::message_id;

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
    checked: LoadedConfig,
    level: LogLevel,
}

impl LiveConfig {
    /// As the daemon was started.
    pub fn new(reader: ConfigReader, checked: LoadedConfig, level: LogLevel) -> Self {
        Self { reader, checked, level }
    }

    /// What counts.
    pub fn settings(&self) -> &Settings {
        &self.checked.settings
    }

    /// Reads it anew, off the loop, since a file system may hang. Returns whether there is something new that counts.
    pub async fn reload(&mut self) -> bool {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || reader.read()).await;
        let next = match read.map_err(anyhow::Error::from).and_then(|read| read) {
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
        let changes = self.checked.changes(&next);
        if !changes.late.is_empty() {
            tracing::warn!("in effect only after a restart: {}", changes.late.join(", "));
        }
        if changes.now.is_empty() {
            tracing::info!("read the configuration: nothing in it has changed that counts now");
            return false;
        }
        self.checked = next.beside(&self.checked);
        self.level.set(self.checked.settings.log.level);
        let (now, late) = (changes.now.join(", "), changes.late.join(", "));
        tracing::info!(
            message_id = message_id::CONFIG_READ,
            now,
            late,
            "read the configuration: now in effect: {now}"
        );
        true
    }
}
