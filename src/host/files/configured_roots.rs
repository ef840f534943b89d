//! The roots that a configuration names.

use std::path::{Path, PathBuf};

use super::roots::{RootArgs, RootError, Roots};
use crate::model::config::{ConfigError, LoadedConfig, Origin, Problem};

/// Where the host keeps things: the settings, and where its tree is mounted for us, if elsewhere.
///
/// # Errors
/// A root that was set is not there.
pub fn roots(loaded: &LoadedConfig, prefix: Option<PathBuf>) -> anyhow::Result<Roots> {
    let set = &loaded.settings.roots;
    let unless_usual = |path: &Path, usual: &str| (path != Path::new(usual)).then(|| path.to_owned());
    let args = RootArgs {
        prefix,
        sysfs_root: unless_usual(&set.sysfs, "/sys"),
        devfs_root: unless_usual(&set.dev, "/dev"),
        ofi_root: set.ofi.clone(),
        cxi_root: set.cxi.clone(),
    };
    Roots::new(&args).map_err(|error| match in_file(&error, loaded) {
        Some(problem) => ConfigError(vec![problem]).into(),
        None => error.into(),
    })
}

/// What is wrong with a root that a file has set.
fn in_file(error: &RootError, loaded: &LoadedConfig) -> Option<Problem> {
    let key = match error.variable() {
        "SYSFS_ROOT" => "roots.sysfs",
        "DEVFS_ROOT" => "roots.dev",
        "OFI_ROOT" => "roots.ofi",
        "CXI_ROOT" => "roots.cxi",
        _ => return None,
    };
    let root = loaded.effective.iter().find(|effective| effective.key == key)?;
    matches!(root.origin, Origin::File { .. }).then(|| Problem {
        origin: root.origin.clone(),
        key: Some(key.to_owned()),
        reason: error.reason(),
    })
}
