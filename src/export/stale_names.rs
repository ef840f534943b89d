//! How many names of the static CDI directory lead to nothing: the daemon's own spec has dropped them, and the static file
//! keeps them alive.

use std::future::pending;
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::bounds::PATIENCE;
use crate::host::cdi_dir::spec_files;
use crate::host::files::roots::Roots;
use crate::host::worker::Worker;
use crate::metrics::Meter;
use crate::model::cdi::survey::{self, HostDevices, NameState};

/// Where the generator writes.
const STATIC: &str = "/etc/cdi";

/// Counts them.
#[derive(Debug)]
pub struct StaleNames {
    places: Places,
    worker: Worker,
}

/// Where to look.
#[derive(Debug, Clone)]
struct Places {
    /// Where the host keeps things.
    roots: Roots,
    /// The daemon's CDI directory.
    cdi_dir: PathBuf,
}

impl StaleNames {
    /// By what is in these places.
    pub fn new(roots: Roots, cdi_dir: PathBuf) -> Self {
        Self {
            places: Places { roots, cdi_dir },
            worker: Worker::new("stale names"),
        }
    }

    /// Counts them after each look at the node. Never ends.
    pub async fn keep(&self, meter: &Meter, mut tick: watch::Receiver<()>) {
        loop {
            let places = self.places.clone();
            // What cannot be read is no reader's, either.
            let count = self.worker.run_within(PATIENCE, move || places.count()).await;
            meter.stale_names(count.unwrap_or_default());
            if tick.changed().await.is_err() {
                return pending().await;
            }
        }
    }
}

impl Places {
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
