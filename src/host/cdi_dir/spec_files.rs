//! The files of a CDI directory as readers of CDI take them: names that end in .yaml or .json, regular, of bounded size.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::files::read::{text, text_by_link};
use crate::host::files::roots::Roots;
use crate::model::cdi::KIND;
use crate::model::cdi::format::SpecFormat;
use crate::model::cdi::read;
use crate::model::cdi::survey::SpecFile;

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
        if name.and_then(SpecFormat::from_file_name).is_none() {
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

/// How the text of a file in this directory is read. Readers of specs follow links; where others may put them, we are not led
/// by them.
pub fn text_in(directory: &Path) -> fn(&Path) -> Result<String, String> {
    let is_ours = fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o022 == 0);
    if is_ours { text_by_link } else { text }
}

/// What each spec file of a directory offers.
pub fn read_all(directory: &Path) -> io::Result<Vec<SpecFile>> {
    let text = text_in(directory);
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
    let is_missing = |node: &str| roots.local_path(Path::new(node)).symlink_metadata().is_err();
    distinct.into_iter().filter(|node| is_missing(node)).cloned().collect()
}
