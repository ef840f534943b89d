//! Directories of configuration files.

use std::path::{Path, PathBuf};

use super::text_files::{entries, text_file};
use crate::host::files::roots::Roots;
use crate::model::doctor::facts::TextFile;
use crate::model::reading::Reading;

/// Where CNI configurations are: of most clusters, of Multus, of k3s.
const CNI: [&str; 3] = [
    "/etc/cni/net.d",
    "/etc/cni/multus/net.d",
    "/var/lib/rancher/k3s/agent/etc/cni/net.d",
];
/// Far above what such a directory holds.
const COUNT_LIMIT: usize = 64;

/// All CNI configurations.
pub fn cni(roots: &Roots) -> Reading<Vec<TextFile>> {
    let mut files = Vec::new();
    for directory in CNI {
        let is_read = |name: &str| {
            [".conf", ".conflist", ".json"]
                .iter()
                .any(|suffix| name.ends_with(suffix))
        };
        files.extend(matching_files(roots, Path::new(directory), is_read)?);
    }
    Ok(files)
}

/// Our own configuration in this directory: the file and its drop-ins, in order.
pub fn own(roots: &Roots, directory: &Path) -> Vec<TextFile> {
    let dropins = matching_files(roots, &directory.join("config.d"), |name| name.ends_with(".toml"));
    let main = text_file(roots, directory.join("config.toml"));
    [vec![main], dropins.unwrap_or_default()].concat()
}

/// The files of a directory with such names, in order.
pub fn matching_files(roots: &Roots, directory: &Path, is_meant: impl Fn(&str) -> bool) -> Reading<Vec<TextFile>> {
    let names = entries(roots, directory)?;
    let paths: Vec<PathBuf> = (names.iter().filter(|name| is_meant(name)))
        .map(|name| directory.join(name))
        .take(COUNT_LIMIT)
        .collect();
    Ok(paths.into_iter().map(|path| text_file(roots, path)).collect())
}
