//! The file in which the daemon keeps what it remembers of NICs over its own restarts.

use std::path::{Path, PathBuf};

use crate::host::files::atomic_file::{self, StoreError};
use crate::host::files::read::{boot_id, look_at};
use crate::model::cdi::drift::Seen;
use crate::model::health::history::{self, NicHistories};

/// Its name in the daemon's own directory.
const NAME: &str = "health.json";

/// The file.
#[derive(Debug)]
pub struct HealthStateFile {
    directory: PathBuf,
    boot_id: String,
}

impl HealthStateFile {
    /// In the daemon's own directory. Without a boot to tell from others, nothing is taken from the file.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            boot_id: boot_id(),
        }
    }

    /// What an earlier process has kept since the node was booted.
    ///
    /// # Errors
    /// Why the file that is there is of no use.
    pub fn read(&self) -> Result<NicHistories, String> {
        let path = self.directory.join(NAME);
        let useless = |reason| format!("{}: {reason}", path.display());
        match look_at(&path) {
            Seen::Absent => Ok(NicHistories::new()),
            Seen::Other(reason) => Err(useless(reason)),
            Seen::File { text, .. } => history::from_text(&text, &self.boot_id).map_err(useless),
        }
    }

    /// Keeps this.
    ///
    /// # Errors
    /// The file system refused.
    pub fn write(&self, histories: &NicHistories) -> Result<(), StoreError> {
        let text = history::to_text(histories, &self.boot_id);
        atomic_file::replace(&self.directory, NAME, None, text.as_bytes()).map(drop)
    }
}
