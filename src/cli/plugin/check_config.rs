//! `check-config`: what the daemon would say of a configuration file, before it does.

use std::path::Path;

use super::args::CheckConfigArgs;
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output;
use crate::host::files::config::{self, CONFIG_FILE};
use crate::host::files::configured_roots::roots;
use crate::model::config::LoadedConfig;

/// Checks.
pub fn run(args: &CheckConfigArgs) -> anyhow::Result<Ended> {
    let must_exist = args.file != Path::new(CONFIG_FILE);
    let loaded = LoadedConfig::from_fragments(config::read_given(&args.file, must_exist))?;
    roots(&loaded, None)?;
    for warning in loaded.warnings() {
        exit::warn(&warning);
    }
    output::raw("ok\n")?;
    Ok(Ended::Done)
}
