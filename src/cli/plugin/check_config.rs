//! `check-config`: what the daemon would say of a configuration file, before it does.

use std::path::Path;

use super::args::CheckConfigArgs;
use crate::cli::exit::{self, Ended};
use crate::cli::terminal::output;
use crate::host::files::config::{self, CONFIG_FILE};
use crate::host::files::configured_roots::roots;
use crate::host::files::roots::{RootArgs, Roots};
use crate::host::probe::units;
use crate::model::config::LoadedConfig;
use crate::model::config::settings::Settings;
use crate::model::doctor::facts::TextFile;
use crate::model::unit_sandbox::{PACKAGED, UnitSandbox};

/// Checks.
pub fn run(args: &CheckConfigArgs) -> anyhow::Result<Ended> {
    let must_exist = args.file != Path::new(CONFIG_FILE);
    let loaded = LoadedConfig::from_fragments(config::read_given(&args.file, must_exist))?;
    roots(&loaded, None)?;
    for warning in loaded.warnings() {
        exit::warn(&warning);
    }
    if let Some(text) = missing_drop_in(&loaded.settings)? {
        exit::note(&text);
    }
    output::raw("ok\n")?;
    Ok(Ended::Done)
}

/// What the unit of this machine lacks for this configuration; where there is none, the packaged one.
fn missing_drop_in(settings: &Settings) -> anyhow::Result<Option<String>> {
    let files = units::with_dropins(&Roots::new(&RootArgs::default())?, units::OURS);
    let texts: Vec<&str> = files.iter().filter_map(TextFile::known).collect();
    let unit = if texts.is_empty() {
        UnitSandbox::read([PACKAGED])
    } else {
        UnitSandbox::read(texts)
    };
    let needs = settings.needs();
    let denied = needs.iter().filter(|need| unit.denies(need));
    let keys: Vec<&str> = denied.map(|need| need.told_by.as_str()).collect();
    Ok(unit.drop_in(&needs).map(|drop_in| {
        format!(
            "warning: the sandbox of the unit keeps the daemon from {}: systemctl edit cxi-device-plugin, and write:\n{drop_in}",
            keys.join(", ")
        )
    }))
}
