//! Keeps the feature file and the device-info files as the node is.

use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::bounds::{END, PATIENCE};
use super::{device_info, nfd_labels};
use crate::host::failure_log::FailureLog;
use crate::host::files::atomic_file::{self, StoreError};
use crate::host::files::read;
use crate::host::worker::Worker;
use crate::metrics::exported_nic::ExportedNode;
use crate::model::alloc::resource::ResourceName;
use crate::model::config::settings::ExportSettings;

/// Far above what such a directory holds; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// The files, and what they are made of.
#[derive(Debug)]
pub struct NodeFiles {
    views: watch::Receiver<Arc<ExportedNode>>,
    is_written: bool,
    labels: Kind,
    device_info: Kind,
}

/// One kind of file, in a directory that may be slow or hang.
#[derive(Debug)]
struct Kind {
    place: Option<(PathBuf, Worker)>,
    write: Write,
    failure_log: FailureLog,
}

/// Makes the files of the directory say what the view says.
#[derive(Debug, Clone)]
enum Write {
    Labels,
    DeviceInfo(ResourceName),
}

impl NodeFiles {
    /// Nothing is written yet.
    pub fn new(export: &ExportSettings, resource: ResourceName, views: watch::Receiver<Arc<ExportedNode>>) -> Self {
        Self {
            views,
            is_written: false,
            labels: Kind {
                place: export
                    .nfd_dir
                    .clone()
                    .map(|directory| (directory, Worker::new("labels"))),
                write: Write::Labels,
                failure_log: FailureLog::new(
                    "no labels for node-feature-discovery",
                    "there are labels for node-feature-discovery again",
                ),
            },
            device_info: Kind {
                place: export
                    .devinfo_dir
                    .clone()
                    .map(|directory| (directory, Worker::new("device-info"))),
                write: Write::DeviceInfo(resource),
                failure_log: FailureLog::new("no device-info files", "there are device-info files again"),
            },
        }
    }

    /// Writes them whenever the view changes, and again what failed. Never ends.
    pub async fn keep(&mut self, mut tick: watch::Receiver<()>) {
        loop {
            let failed = self.labels.failure_log.is_open() || self.device_info.failure_log.is_open();
            if !self.is_written {
                self.write().await;
                continue;
            }
            tokio::select! {
                Ok(()) = self.views.changed() => {}
                Ok(()) = tick.changed(), if failed => {}
                else => return pending().await,
            }
            self.write().await;
        }
    }

    /// Writes both as the node is now.
    pub async fn write(&mut self) {
        let view = Arc::clone(&self.views.borrow_and_update());
        tokio::join!(
            self.labels.write(Arc::clone(&view), PATIENCE),
            self.device_info.write(view, PATIENCE)
        );
        self.is_written = true;
    }

    /// Removes the device-info files, as the specification asks of a plugin that stops. The labels stay true.
    pub async fn withdraw(&mut self) {
        self.device_info.write(Arc::default(), END).await;
    }
}

impl Kind {
    async fn write(&mut self, view: Arc<ExportedNode>, patience: Duration) {
        let Some((directory, worker)) = &self.place else { return };
        let (place, write) = (directory.clone(), self.write.clone());
        let went = worker.run_within(patience, move || write.to(&place, &view)).await;
        self.failure_log.note_work(directory.display(), went);
    }
}

impl Write {
    fn to(&self, directory: &Path, view: &ExportedNode) -> Result<(), StoreError> {
        match self {
            Self::Labels => write_labels(directory, view),
            Self::DeviceInfo(resource) => write_device_info(directory, resource, view),
        }
    }
}

/// None without NICs.
fn write_labels(directory: &Path, view: &ExportedNode) -> Result<(), StoreError> {
    match nfd_labels::text(view) {
        Some(text) => atomic_file::replace(directory, nfd_labels::FILE, None, text.as_bytes()).map(drop),
        None => atomic_file::remove(directory, nfd_labels::FILE).map(drop),
    }
}

/// Each file, whatever becomes of the others.
fn write_device_info(directory: &Path, resource: &ResourceName, view: &ExportedNode) -> Result<(), StoreError> {
    let mut went = remove_stale(directory, resource, view);
    for nic in view.offered() {
        let name = device_info::file_name(resource, nic.address);
        let written = atomic_file::replace(directory, &name, None, device_info::text(nic.address).as_bytes());
        went = went.and(written.map(drop));
    }
    went
}

/// Only what says what we would say: the same name with other words is somebody else's. Of another resource, as of a
/// predecessor that was killed, only that of a NIC which we would show.
fn remove_stale(directory: &Path, resource: &ResourceName, view: &ExportedNode) -> Result<(), StoreError> {
    let mut went = Ok(());
    for entry in fs::read_dir(directory)
        .into_iter()
        .flatten()
        .take(DIRECTORY_LIMIT)
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_offered = |address| view.offered().any(|nic| nic.address == address);
        let stale = match device_info::device(resource, &name) {
            Some(address) => Some(address).filter(|address| !is_offered(*address)),
            None => {
                device_info::device_of_any(&name).filter(|address| view.nics.iter().any(|nic| nic.address == *address))
            }
        };
        if stale.is_some_and(|address| read::text(&entry.path()) == Ok(device_info::text(address))) {
            went = went.and(atomic_file::remove(directory, &name).map(drop));
        }
    }
    went
}
