//! Keeps the feature file and the device-info files as the node is.

use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::failure_log::FailureLog;
use super::on_disk::on_disk;
use super::{device_info, nfd_labels};
use crate::host::files::atomic_file::{self, StoreError};
use crate::host::files::read;
use crate::metrics::exported_nic::ExportedNode;
use crate::model::alloc::resource::ResourceName;
use crate::model::config::settings::ExportSettings;

/// Far above what such a directory holds; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// The files, and what they are made of.
#[derive(Debug)]
pub struct NodeFiles {
    places: Places,
    views: watch::Receiver<Arc<ExportedNode>>,
    labels: FailureLog,
    device_info: FailureLog,
}

#[derive(Debug, Clone)]
struct Places {
    nfd_dir: Option<PathBuf>,
    devinfo_dir: Option<PathBuf>,
    resource: ResourceName,
}

impl NodeFiles {
    /// Nothing is written yet.
    pub fn new(export: &ExportSettings, resource: ResourceName, views: watch::Receiver<Arc<ExportedNode>>) -> Self {
        let places = Places {
            nfd_dir: export.nfd_dir.clone(),
            devinfo_dir: export.devinfo_dir.clone(),
            resource,
        };
        Self {
            places,
            views,
            labels: FailureLog::new("labels for node-feature-discovery"),
            device_info: FailureLog::new("device-info files"),
        }
    }

    /// Writes them whenever the view changes, and again what failed. Never ends.
    pub async fn keep(&mut self, mut tick: watch::Receiver<()>) {
        loop {
            let failed = self.labels.is_open() || self.device_info.is_open();
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
        let (places, same_view) = (self.places.clone(), Arc::clone(&view));
        self.labels.note(on_disk(move || places.write_labels(&same_view)).await);
        let places = self.places.clone();
        self.device_info
            .note(on_disk(move || places.write_device_info(&view)).await);
    }

    /// Removes the device-info files, as the specification asks of a plugin that stops. The labels stay true.
    pub async fn withdraw(&mut self) {
        let places = self.places.clone();
        let removed = on_disk(move || places.write_device_info(&ExportedNode::default())).await;
        self.device_info.note(removed);
    }
}

impl Places {
    /// None without NICs.
    fn write_labels(&self, view: &ExportedNode) -> Result<(), StoreError> {
        let Some(directory) = &self.nfd_dir else { return Ok(()) };
        match nfd_labels::text(view) {
            Some(text) => atomic_file::replace(directory, nfd_labels::FILE, None, text.as_bytes()).map(drop),
            None => atomic_file::remove(directory, nfd_labels::FILE).map(drop),
        }
    }

    /// Each file, whatever becomes of the others.
    fn write_device_info(&self, view: &ExportedNode) -> Result<(), StoreError> {
        let Some(directory) = &self.devinfo_dir else {
            return Ok(());
        };
        let mut went = self.remove_stale(directory, view);
        for nic in view.offered() {
            let name = device_info::file_name(&self.resource, nic.address);
            let written = atomic_file::replace(directory, &name, None, device_info::text(nic.address).as_bytes());
            went = went.and(written.map(drop));
        }
        went
    }

    /// Only what says what we would say: the same name with other words is somebody else's.
    fn remove_stale(&self, directory: &Path, view: &ExportedNode) -> Result<(), StoreError> {
        let mut went = Ok(());
        for entry in fs::read_dir(directory)
            .into_iter()
            .flatten()
            .take(DIRECTORY_LIMIT)
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(address) = device_info::device(&self.resource, &name) else {
                continue;
            };
            let is_offered = view.offered().any(|nic| nic.address == address);
            if !is_offered && read::text(&entry.path()) == Ok(device_info::text(address)) {
                went = went.and(atomic_file::remove(directory, &name).map(drop));
            }
        }
        went
    }
}
