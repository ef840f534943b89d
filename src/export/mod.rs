//! What is shown to other programs of the node, all of it only when asked for: metrics as a file or on a socket, labels for
//! node-feature-discovery, device-info files for Multus.
//!
//! Each place has a thread of its own: one that hangs stops neither the others nor the daemon.

mod bounds;
pub mod device_info;
pub mod nfd_labels;
mod node_files;
mod socket;
mod stale_names;
mod textfile;

use tokio::sync::watch;
use tokio::time::timeout;

use self::bounds::PREPARE;
use self::node_files::NodeFiles;
use self::socket::MetricsSocket;
use self::stale_names::StaleNames;
use self::textfile::Textfile;
use crate::host::files::roots::Roots;
use crate::metrics::Meter;
use crate::model::config::Settings;

/// Shows things as long as it runs.
#[derive(Debug)]
pub struct Exporter {
    meter: Meter,
    files: NodeFiles,
    textfile: Option<Textfile>,
    socket: Option<MetricsSocket>,
    stale_names: StaleNames,
}

impl Exporter {
    /// Shows nothing yet; none when the meter is off.
    pub fn new(settings: &Settings, roots: Roots, meter: Meter) -> Option<Self> {
        let places = settings.export.clone();
        Some(Self {
            files: NodeFiles::new(&places, settings.resource.name.clone(), meter.views()?),
            textfile: places.textfile.map(Textfile::new),
            socket: places.metrics_socket.map(MetricsSocket::new),
            meter,
            stale_names: StaleNames::new(roots, settings.cdi.dir.clone()),
        })
    }

    /// Writes what CNI plugins want to find as soon as there are pods, before kubelet is told of any NIC: if it can be done
    /// at once, else by and by.
    pub async fn prepare(&mut self) {
        let _ = timeout(PREPARE, self.files.write()).await;
    }

    /// Shows things until `stopping` turns true, then takes away what is true of a running daemon only. `tick` changes with
    /// every look at the node: the time to try again what failed.
    pub async fn run(mut self, tick: watch::Receiver<()>, mut stopping: watch::Receiver<bool>) {
        let meter = &self.meter;
        tokio::select! {
            () = self.files.keep(tick.clone()) => {}
            () = textfile::keep(&mut self.textfile, meter, tick.clone()) => {}
            () = socket::serve(&mut self.socket, meter, tick.clone()) => {}
            () = self.stale_names.keep(meter, tick.clone()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        tokio::join!(
            textfile::remove(self.textfile),
            socket::close(self.socket),
            self.files.withdraw()
        );
    }
}
