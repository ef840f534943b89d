//! Whether everybody may read the host's libraries: a container's programs do so as who they are, and some runtimes mount as
//! who starts them. Modes only; what an access list adds to them is not looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::nic::inventory::{Library, LibraryDirectory};
use crate::model::reading::ReadError;

/// Bits of a mode for all others.
const READ: u32 = 0o004;
const PASS: u32 = 0o001;

/// What others may not read of these: a library, or a directory on the way to it.
pub fn restricted(roots: &Roots, libraries: &[Library], directory: Option<&LibraryDirectory>) -> Vec<ReadError> {
    let mut files: BTreeSet<PathBuf> = libraries.iter().map(|library| library.file.clone()).collect();
    if let Some(directory) = directory {
        let names = roots.names(&directory.host).unwrap_or_default();
        let paths = names
            .iter()
            .filter(|name| name.contains(".so"))
            .map(|name| directory.host.join(name));
        files.extend(paths.filter_map(|path| roots.resolve(&path).ok()));
    }
    let ancestors = files.iter().flat_map(|file| file.ancestors().skip(1));
    // The top of a tree that is mounted elsewhere says nothing of the host's.
    let directories: BTreeSet<&Path> = ancestors.filter(|directory| directory.parent().is_some()).collect();
    let closed = |path: &Path, bit: u32| {
        let mode = roots.look(path).ok().flatten()?.st_mode & 0o7777;
        (mode & bit == 0).then_some(mode)
    };
    let mut restricted = Vec::new();
    for directory in directories {
        if let Some(mode) = closed(directory, PASS) {
            let reason = format!(
                "mode {mode:04o}: others may not pass it, so rootless podman and pods with user namespaces cannot mount the \
                 libraries below it: chmod o+x it"
            );
            restricted.push(ReadError::new(directory, reason));
        }
    }
    for file in &files {
        if let Some(mode) = closed(file, READ) {
            let reason = format!(
                "mode {mode:04o}: others may not read it, so programs of other users (runAsUser, user namespaces, rootless \
                 podman) cannot load it: chmod o+r it"
            );
            restricted.push(ReadError::new(file, reason));
        }
    }
    restricted
}
