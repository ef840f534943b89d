//! The files of a CDI directory as readers of CDI take them: names that end in .yaml or .json, regular, of bounded size.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::cdi::KIND;
use crate::model::cdi::drift::Seen;
use crate::model::cdi::format::Format;
use crate::model::cdi::read;
use crate::model::cdi::survey::SpecFile;

/// Specs are a few kilobytes; a larger file is nobody's spec.
const SIZE_LIMIT: u64 = 4 << 20;
/// Far above what a CDI directory holds; stops a directory without end.
const COUNT_LIMIT: usize = 4096;

/// Paths of the spec files in a directory, sorted; none when there is no directory.
pub fn paths(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.and_then(Format::of_file_name).is_none() {
            continue;
        }
        if paths.len() == COUNT_LIMIT {
            return Err(io::Error::other(format!("more than {COUNT_LIMIT} spec files")));
        }
        paths.push(path);
    }
    paths.sort();
    Ok(paths)
}

/// What each spec file of a directory offers.
pub fn read_all(directory: &Path) -> io::Result<Vec<SpecFile>> {
    let files = paths(directory)?.into_iter().map(|path| SpecFile {
        content: text(&path).and_then(|text| read::read(&text).map_err(|reason| reason.to_string())),
        path,
    });
    Ok(files.collect())
}

/// Device nodes that specs of our kind name and the node does not have.
pub fn missing_nodes(directories: &[Vec<SpecFile>], roots: &Roots) -> BTreeSet<String> {
    let of_our_kind = directories
        .iter()
        .flatten()
        .filter_map(|file| file.content.as_ref().ok());
    let nodes = of_our_kind
        .filter(|offered| offered.kind == KIND)
        .flat_map(|offered| offered.devices.iter().flat_map(|device| &device.nodes));
    let distinct: BTreeSet<&String> = nodes.collect();
    let is_missing = |node: &str| roots.here(Path::new(node)).symlink_metadata().is_err();
    distinct.into_iter().filter(|node| is_missing(node)).cloned().collect()
}

/// What stands where a file of ours may be; a link is none of ours.
pub fn look_at(path: &Path) -> Seen {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Seen::Absent,
        Err(error) => return Seen::Other(format!("cannot be looked at: {error}")),
    };
    if metadata.is_symlink() {
        return Seen::Other("is a symbolic link".to_owned());
    }
    match text(path) {
        Ok(text) => Seen::File {
            text,
            mode: metadata.permissions().mode() & 0o7777,
        },
        Err(reason) => Seen::Other(format!("cannot be read: {reason}")),
    }
}

/// A regular file's whole text, or why it has none; anything else could block or never end.
pub fn text(path: &Path) -> Result<String, String> {
    // Without waiting, should it be a pipe, and asked only once it is open: the name may become another file.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path);
    let file = opened.map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes);
    if read.map_err(|error| error.to_string())? as u64 > SIZE_LIMIT {
        return Err(format!("larger than {SIZE_LIMIT} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "not a text".to_owned())
}
