//! Metrics as a file for node_exporter's textfile collector. It is written when there is something new to read, so a node
//! where nothing happens writes nothing.

use std::borrow::Cow;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::bounds::{END, PATIENCE};
use crate::host::failure_log::FailureLog;
use crate::host::files::atomic_file;
use crate::host::worker::Worker;
use crate::metrics::Meter;

/// News within this time fold into one write. Collectors read the file a few times a minute.
const SETTLE: Duration = Duration::from_secs(1);

/// The file.
#[derive(Debug)]
pub struct Textfile {
    file: PathBuf,
    worker: Worker,
    failure_log: FailureLog,
}

impl Textfile {
    /// Not written yet.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            worker: Worker::new("textfile"),
            failure_log: FailureLog::new(
                "no metrics for node_exporter",
                "there are metrics for node_exporter again",
            ),
        }
    }
}

/// Keeps the file true. Never ends.
pub async fn keep(textfile: &mut Option<Textfile>, meter: &Meter, mut tick: watch::Receiver<()>) {
    let Some(this) = textfile else { return pending().await };
    loop {
        let (place, meter_then) = (this.file.clone(), meter.clone());
        let write = move || {
            let (directory, name) = split(&place);
            atomic_file::replace(directory, &name, None, meter_then.text().as_bytes()).map(drop)
        };
        let went = this.worker.run_within(PATIENCE, write).await;
        this.failure_log.note_work(this.file.display(), went);
        tokio::select! {
            () = meter.news() => {}
            Ok(()) = tick.changed(), if this.failure_log.is_open() => {}
        }
        sleep(SETTLE).await;
    }
}

/// Takes the file away: what it says of a running daemon would be read for ever.
pub async fn remove(textfile: Option<Textfile>) {
    let Some(this) = textfile else { return };
    let place = this.file.clone();
    let remove = move || {
        let (directory, name) = split(&place);
        atomic_file::remove(directory, &name).map(drop)
    };
    let went = this.worker.run_within(END, remove).await;
    FailureLog::new("the metrics for node_exporter stay", "").note_work(this.file.display(), went);
}

fn split(file: &Path) -> (&Path, Cow<'_, str>) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    (file.parent().unwrap_or(Path::new("")), name)
}
