//! `check-config`: what the daemon would say of a configuration file, before it does.

use std::path::Path;

use super::args::CheckConfigArgs;
use crate::daemon;
use crate::exit::{self, Ended};
use crate::host::files::config_files::{self, CONFIG_FILE};
use crate::model::config::Settings;
use crate::terminal::output;

/// Checks.
pub fn run(args: &CheckConfigArgs) -> anyhow::Result<Ended> {
    let must_exist = args.file != Path::new(CONFIG_FILE);
    let checked = Settings::of(config_files::read(&args.file, must_exist))?;
    daemon::roots(&checked, None)?;
    for warning in checked.warnings() {
        exit::warn(&warning);
    }
    output::raw("ok\n")?;
    Ok(Ended::Done)
}
