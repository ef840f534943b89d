//! The directory of libfabric as a whole, for stacks whose libraries look for each other where only containers have them.

use std::path::{Component, Path, PathBuf};

use super::closure;
use super::family::LIBFABRIC;
use crate::host::files::roots::Roots;
use crate::model::libs::loader::{Candidate, Disk, Object};
use crate::model::nic::inventory::{Library, LibraryDirectory};
use crate::model::reading::ReadError;

/// Directories of every system, which would cover the image's own.
const SYSTEM: [&str; 7] = ["/bin", "/dev", "/etc", "/proc", "/sbin", "/sys", "/usr/bin"];

/// The directory of the libfabric among these; none, with a word about it, where it is no stack of its own.
pub fn of(roots: &Roots, libraries: &[Library], problems: &mut Vec<ReadError>) -> Option<LibraryDirectory> {
    let fabric = libraries.iter().find(|library| library.soname == LIBFABRIC.soname)?;
    let path = fabric.paths.iter().find_map(|path| path.parent())?;
    let host = roots.resolve(path).ok()?;
    let is_of_loader = |directory: &PathBuf| roots.resolve(directory).is_ok_and(|real| real.starts_with(&host));
    if is_of_system(&host) || closure::search().defaults.iter().any(is_of_loader) {
        let reason = "it holds the system's own libraries, so no container gets it as a whole: use --libraries closure";
        problems.push(ReadError::new(path, reason));
        return None;
    }
    let rpath = match closure::look(roots, &fabric.file) {
        Candidate::Library(object) => for_containers(roots, &object),
        _ => None,
    };
    let container = rpath.unwrap_or_else(|| path.to_owned());
    if container.to_str().is_none() || host.to_str().is_none() {
        problems.push(closure::not_given(&host, "its path is not UTF-8, and a CDI spec is"));
        return None;
    }
    Some(LibraryDirectory { host, container })
}

/// The first directory of a search path that the host does not have.
fn for_containers(roots: &Roots, object: &Object) -> Option<PathBuf> {
    let entries = object.runpath.as_ref().unwrap_or(&object.rpath);
    let plain = entries.iter().filter(|entry| !entry.contains('$')).map(PathBuf::from);
    let mut tree = closure::LibraryTree::new(roots);
    plain
        .filter(|directory| is_plain(directory) && !is_of_system(directory))
        .find(|directory| !tree.has_directory(directory))
}

fn is_plain(directory: &Path) -> bool {
    let mut components = directory.components();
    directory.is_absolute() && components.all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

/// Whether an image has its own things there, or below.
fn is_of_system(directory: &Path) -> bool {
    let defaults = closure::search().defaults;
    directory.parent().is_none()
        || defaults.iter().any(|default| default.starts_with(directory))
        || SYSTEM.iter().any(|system| directory.starts_with(system))
}
