//! What the host's configuration says of the daemon, for commands beside it.

use std::path::{Path, PathBuf};

use crate::host::files::config::{self, CONFIG_FILE};
use crate::host::files::roots::{RootArgs, Roots};
use crate::model::config::settings::Settings;
use crate::model::config::{ConfigError, LoadedConfig, Origin, Problem};
use crate::model::doctor::finding::Evidence;

/// The host's configuration of the daemon; the defaults, and what is wrong, where the daemon would refuse it.
///
/// # Errors
/// The prefix is no directory.
pub fn read(prefix: Option<PathBuf>) -> anyhow::Result<(Settings, Vec<Evidence>)> {
    let roots = Roots::new(&RootArgs {
        prefix,
        ..RootArgs::default()
    })?;
    let file = Path::new(CONFIG_FILE);
    let here = roots.local_path(&roots.resolve(file).unwrap_or_else(|_| file.to_owned()));
    Ok(match LoadedConfig::from_fragments(config::read(&here, false)) {
        Ok(loaded) => (loaded.settings, Vec::new()),
        Err(ConfigError(problems)) => {
            let problems = problems
                .iter()
                .map(|problem| Evidence::new(file, described_problem(problem)));
            (Settings::default(), problems.collect())
        }
    })
}

/// Without the file, which is named beside it as the host has it.
fn described_problem(problem: &Problem) -> String {
    let line = match &problem.origin {
        Origin::File { line, .. } => format!("line {line}: "),
        _ => String::new(),
    };
    let key = problem.key.iter().map(|key| format!("{key}: "));
    line + &key.collect::<String>() + &problem.reason
}
