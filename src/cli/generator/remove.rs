//! `remove`: our spec away from a CDI directory, and nothing else.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use super::args::RemoveArgs;
use crate::cli::exit::Ended;
use crate::cli::terminal::output::{self, Audience};

#[derive(Serialize)]
struct Removal {
    removed: Vec<PathBuf>,
}

/// Removes.
pub fn run(args: &RemoveArgs) -> anyhow::Result<Ended> {
    let directory = args.cdi();
    let removed = directory
        .remove()
        .with_context(|| format!("our spec in {} is not removed", directory.path.display()))?;
    match args.output {
        Audience::Json => output::json(&Removal { removed })?,
        Audience::Table if removed.is_empty() => {
            output::line(&format!("no spec of ours in {}", directory.path.display()))?;
        }
        Audience::Table => {
            for file in &removed {
                output::line(&format!("removed {}", file.display()))?;
            }
        }
    }
    Ok(Ended::Done)
}
