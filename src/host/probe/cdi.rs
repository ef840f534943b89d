//! CDI directories as readers of CDI take them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::host::cdi_dir::spec_files;
use crate::host::files::read::text;
use crate::host::files::roots::Roots;
use crate::model::cdi::KIND;
use crate::model::cdi::read;
use crate::model::cdi::survey::SpecFile;
use crate::model::doctor::facts::CdiDirectoryFacts;
use crate::model::reading::{ReadError, Reading};

/// What is in a directory of the host.
pub fn directory(roots: &Roots, path: &Path) -> CdiDirectoryFacts {
    let real = roots.resolve(path).ok();
    let files = real.as_deref().map_or(Ok(Vec::new()), |real| paths(roots, path, real));
    CdiDirectoryFacts {
        path: path.to_owned(),
        mode: real.and_then(|real| mode(&roots.local_path(&real))),
        modes: modes(roots, files.as_deref().unwrap_or_default()),
        files: files.map(|files| files.into_iter().map(|file| spec_file(roots, file)).collect()),
    }
}

/// Spec files below the name by which the directory goes.
fn paths(roots: &Roots, path: &Path, real: &Path) -> Reading<Vec<PathBuf>> {
    let files = spec_files::paths(&roots.local_path(real)).map_err(|error| ReadError::new(path, error))?;
    Ok(files
        .iter()
        .filter_map(|file| Some(path.join(file.file_name()?)))
        .collect())
}

fn spec_file(roots: &Roots, path: PathBuf) -> SpecFile {
    let text = match roots.resolve(&path) {
        Ok(real) => text(&roots.local_path(&real)),
        Err(read_error) => Err(read_error.reason),
    };
    SpecFile {
        content: text.and_then(|text| read::read(&text).map_err(|reason| reason.to_string())),
        path,
    }
}

fn modes(roots: &Roots, files: &[PathBuf]) -> Vec<(PathBuf, u32)> {
    let modes = files.iter().filter_map(|file| {
        let real = roots.resolve(file).ok()?;
        Some((file.clone(), mode(&roots.local_path(&real))?))
    });
    modes.collect()
}

fn mode(here: &Path) -> Option<u32> {
    fs::symlink_metadata(here)
        .ok()
        .map(|metadata| metadata.permissions().mode() & 0o7777)
}

/// Nodes that specs of our kind name and the host does not have.
pub fn missing_nodes(roots: &Roots, directories: &[CdiDirectoryFacts]) -> BTreeSet<String> {
    let files = directories
        .iter()
        .flat_map(|directory| directory.files.iter().flatten());
    let offered = files
        .filter_map(|file| file.content.as_ref().ok())
        .filter(|offered| offered.kind == KIND);
    let nodes: BTreeSet<&String> = offered
        .flat_map(|offered| offered.devices.iter().flat_map(|device| &device.nodes))
        .collect();
    let is_missing = |node: &str| fs::symlink_metadata(roots.local_path(Path::new(node))).is_err();
    nodes.into_iter().filter(|node| is_missing(node)).cloned().collect()
}
