//! How many names of the static CDI directory lead to nothing: the daemon's own spec has dropped them, and the static file
//! keeps them alive.

use std::future::pending;
use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::host::cdi_dir::spec_files;
use crate::host::files::roots::Roots;
use crate::metrics::Meter;
use crate::model::cdi::survey::{self, HostDevices, NameState};

/// Where the generator writes.
const STATIC: &str = "/etc/cdi";

/// Where to look.
#[derive(Debug, Clone)]
pub struct StaleNames {
    /// Where the host keeps things.
    pub roots: Roots,
    /// The daemon's CDI directory.
    pub cdi_dir: PathBuf,
}

impl StaleNames {
    /// Counts them after each look at the node. Never ends.
    pub async fn keep(&self, meter: &Meter, mut tick: watch::Receiver<()>) {
        loop {
            let place = self.clone();
            // What cannot be read is no reader's, either.
            let count = spawn_blocking(move || place.count()).await.unwrap_or_default();
            meter.stale_names(count);
            if tick.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    fn count(&self) -> usize {
        let directories = [self.roots.local_path(Path::new(STATIC)), self.cdi_dir.clone()];
        let files = directories.map(|directory| spec_files::read_all(&directory).unwrap_or_default());
        let host = HostDevices {
            inventory: None,
            missing: spec_files::missing_nodes(&files, &self.roots),
        };
        let [statics, _] = &files;
        let is_static = |file: &Path| statics.iter().any(|other| other.path == file);
        let stale = survey::survey(&files, &host).into_iter();
        stale
            .filter(|entry| matches!(entry.state, NameState::Stale { .. }) && is_static(&entry.file))
            .count()
    }
}
