//! What is shown to other programs of the node, all of it only when asked for: metrics as a file or on a socket, labels for
//! node-feature-discovery, device-info files for Multus.

mod complaint;
pub mod device_info;
pub mod labels;
mod node_files;
mod socket;
mod stale_names;
mod textfile;

use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use self::node_files::NodeFiles;
pub use self::stale_names::StaleNames;
use crate::metrics::Meter;
use crate::resource::ResourceName;

/// Where things are shown; nothing, where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// File for the textfile collector of node_exporter; its name ends in `.prom`.
    pub textfile: Option<PathBuf>,
    /// Unix socket that answers `GET /metrics`.
    pub metrics_socket: Option<PathBuf>,
    /// Directory of feature files of node-feature-discovery.
    pub nfd_dir: Option<PathBuf>,
    /// Directory of the device-info files of device plugins.
    pub devinfo_dir: Option<PathBuf>,
}

/// The collector would not read such a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("textfile {}: its name must end in .prom, as node_exporter reads no other files", .0.display())]
pub struct NotProm(PathBuf);

impl Exports {
    /// Whether nothing is shown.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }

    /// Finds what could not work.
    ///
    /// # Errors
    /// The textfile has a name that nobody reads.
    pub fn check(&self) -> Result<(), NotProm> {
        let is_prom = |file: &Path| file.extension().is_some_and(|suffix| suffix == "prom");
        match &self.textfile {
            Some(file) if !is_prom(file) => Err(NotProm(file.clone())),
            _ => Ok(()),
        }
    }
}

/// Shows things as long as it runs.
#[derive(Debug)]
pub struct Exporter {
    exports: Exports,
    meter: Meter,
    files: NodeFiles,
    stale_names: StaleNames,
    beat: watch::Receiver<()>,
}

impl Exporter {
    /// Shows nothing yet; none when nothing is asked for. `beat` changes with every look at the node: the time to try
    /// again what failed.
    pub fn new(
        exports: Exports,
        resource: ResourceName,
        meter: Meter,
        stale_names: StaleNames,
        beat: watch::Receiver<()>,
    ) -> Option<Self> {
        Some(Self {
            files: NodeFiles::new(&exports, resource, meter.views()?),
            exports,
            meter,
            stale_names,
            beat,
        })
    }

    /// Writes what CNI plugins want to find as soon as there are pods: before kubelet is told of any NIC.
    pub async fn prepare(&mut self) {
        self.files.write().await;
    }

    /// Shows things until `stopping` turns true, then takes away what is true of a running daemon only.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let (exports, meter, beat) = (&self.exports, &self.meter, &self.beat);
        tokio::select! {
            () = self.files.keep(beat.clone()) => {}
            () = textfile::keep(exports.textfile.as_deref(), meter, beat.clone()) => {}
            () = socket::serve(exports.metrics_socket.as_deref(), meter, beat.clone()) => {}
            () = self.stale_names.keep(meter, beat.clone()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        textfile::remove(exports.textfile.as_deref()).await;
        self.files.withdraw().await;
    }
}

/// On a thread of its own, since a slow disk must not keep kubelet waiting; an error with its causes, in one line.
async fn on_disk<E>(change: impl FnOnce() -> Result<(), E> + Send + 'static) -> Result<(), String>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match spawn_blocking(change).await {
        Ok(changed) => changed.map_err(|error| format!("{:#}", anyhow::Error::new(error))),
        Err(error) => Err(error.to_string()),
    }
}
