//! What the running isolation says of itself, for others: its record counts only while it runs, and only if root or the caller has
//! written it.

use std::path::{Path, PathBuf};

use super::instance::{self, Life};
use super::roots::Roots;
use crate::model::isolation::record::{FILE, RUN_DIR, Record, SCHEMA};
use crate::model::reading::{ReadError, Reading};

/// Where it keeps its state, as we find it.
pub fn directory(roots: &Roots) -> PathBuf {
    let directory = Path::new(RUN_DIR);
    roots.local_path(&roots.resolve(directory).unwrap_or_else(|_| directory.to_owned()))
}

/// Its record.
///
/// # Errors
/// It does not run, or what it says cannot be used.
pub fn record(roots: &Roots) -> Reading<Record> {
    let directory = directory(roots);
    let failed = |reason: String| ReadError::new(Path::new(RUN_DIR).join(FILE), reason);
    match instance::life(&directory) {
        Life::Runs(_) => {}
        Life::Stopped => return Err(failed("cxi-isolation.service does not run".to_owned())),
        Life::Unknown(reason) => {
            return Err(failed(format!(
                "it cannot be told whether cxi-isolation.service runs: {reason}"
            )));
        }
    }
    let text = instance::record(&directory).map_err(|error| failed(error.to_string()))?;
    let text = text.ok_or_else(|| failed("cxi-isolation.service has just begun".to_owned()))?;
    let record: Record =
        serde_json::from_str(&text).map_err(|error| failed(format!("not a record of ours: {error}")))?;
    if record.schema == SCHEMA {
        Ok(record)
    } else {
        Err(failed(format!(
            "it has form {}, this program knows {SCHEMA}",
            record.schema
        )))
    }
}

/// Whether a pod that begins now gets its service.
///
/// # Errors
/// Why not.
pub fn serves(roots: &Roots) -> Reading<()> {
    let record = record(roots)?;
    if record.connected {
        Ok(())
    } else {
        let reason = format!(
            "cxi-isolation.service is not connected to the container runtime: {}",
            record.reason
        );
        Err(ReadError::new(Path::new(RUN_DIR).join(FILE), reason))
    }
}
