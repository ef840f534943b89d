//! What is shown to other programs of the node, all of it only when asked for: metrics as a file or on a socket, labels for
//! node-feature-discovery, device-info files for Multus.

pub mod device_info;
mod failure_log;
pub mod nfd_labels;
mod node_files;
mod on_disk;
mod socket;
mod stale_names;
mod textfile;

use tokio::sync::watch;

use self::node_files::NodeFiles;
use self::stale_names::StaleNames;
use crate::host::files::roots::Roots;
use crate::metrics::Meter;
use crate::model::config::Settings;
use crate::model::config::settings::ExportSettings;

/// Shows things as long as it runs.
#[derive(Debug)]
pub struct Exporter {
    places: ExportSettings,
    meter: Meter,
    files: NodeFiles,
    stale_names: StaleNames,
}

impl Exporter {
    /// Shows nothing yet; none when the meter is off.
    pub fn new(settings: &Settings, roots: Roots, meter: Meter) -> Option<Self> {
        let places = settings.export.clone();
        Some(Self {
            files: NodeFiles::new(&places, settings.resource.name.clone(), meter.views()?),
            places,
            meter,
            stale_names: StaleNames {
                roots,
                cdi_dir: settings.cdi.dir.clone(),
            },
        })
    }

    /// Writes what CNI plugins want to find as soon as there are pods: before kubelet is told of any NIC.
    pub async fn prepare(&mut self) {
        self.files.write().await;
    }

    /// Shows things until `stopping` turns true, then takes away what is true of a running daemon only. `tick` changes with
    /// every look at the node: the time to try again what failed.
    pub async fn run(mut self, tick: watch::Receiver<()>, mut stopping: watch::Receiver<bool>) {
        let (places, meter) = (&self.places, &self.meter);
        tokio::select! {
            () = self.files.keep(tick.clone()) => {}
            () = textfile::keep(places.textfile.as_deref(), meter, tick.clone()) => {}
            () = socket::serve(places.metrics_socket.as_deref(), meter, tick.clone()) => {}
            () = self.stale_names.keep(meter, tick.clone()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        textfile::remove(places.textfile.as_deref()).await;
        self.files.withdraw().await;
    }
}
