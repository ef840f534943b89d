//! Metrics as a file for node_exporter's textfile collector. It is written when there is something new to read, so a node
//! where nothing happens writes nothing.

use std::borrow::Cow;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::failure_log::FailureLog;
use super::on_disk::on_disk;
use crate::host::files::atomic_file;
use crate::metrics::Meter;

/// News within this time fold into one write. Collectors read the file a few times a minute.
const SETTLE: Duration = Duration::from_secs(1);

/// Keeps the file true. Never ends.
pub async fn keep(file: Option<&Path>, meter: &Meter, mut tick: watch::Receiver<()>) {
    let Some(file) = file else { return pending().await };
    let mut failure_log = FailureLog::new("metrics for node_exporter");
    loop {
        let (place, meter_then) = (file.to_owned(), meter.clone());
        let write = move || {
            let (directory, name) = split(&place);
            atomic_file::replace(directory, &name, None, meter_then.text().as_bytes()).map(drop)
        };
        failure_log.note(on_disk(write).await);
        tokio::select! {
            () = meter.news() => {}
            Ok(()) = tick.changed(), if failure_log.is_open() => {}
        }
        sleep(SETTLE).await;
    }
}

/// Takes the file away: what it says of a running daemon would be read for ever.
pub async fn remove(file: Option<&Path>) {
    let Some(file) = file.map(Path::to_owned) else { return };
    let remove = move || {
        let (directory, name) = split(&file);
        atomic_file::remove(directory, &name).map(drop)
    };
    FailureLog::new("end of the metrics for node_exporter").note(on_disk(remove).await);
}

fn split(file: &Path) -> (&Path, Cow<'_, str>) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    (file.parent().unwrap_or(Path::new("")), name)
}
