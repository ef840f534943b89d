//! The files of the configuration: one, and the drop-ins beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::read;
use crate::model::config::Fragment;

/// Where the configuration is unless the daemon is told otherwise.
pub const CONFIG_FILE: &str = "/etc/cxi-device-plugin/config.toml";
/// Folder of drop-ins beside the file.
const DROP_INS: &str = "config.d";
/// Far above what anybody writes; stops a file without end.
const LIMIT: u64 = 1 << 20;
/// The same of drop-ins.
const COUNT_LIMIT: usize = 4096;

/// Reads the file and, by name, its drop-ins. That the file is not there is a fault only if it `must_exist`.
pub fn read(file: &Path, must_exist: bool) -> Vec<Fragment> {
    read_by(file, must_exist, |file| read::text_within(file, LIMIT))
}

/// The same of a file that may be a pipe of the shell that has started this program.
pub fn read_given(file: &Path, must_exist: bool) -> Vec<Fragment> {
    read_by(file, must_exist, |file| read::text_within_or_piped(file, LIMIT))
}

fn read_by(file: &Path, must_exist: bool, text: impl Fn(&Path) -> io::Result<String>) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = fragment(file, text(file), must_exist).into_iter().collect();
    let folder = file.parent().unwrap_or(Path::new("")).join(DROP_INS);
    match drop_ins(&folder) {
        Ok(files) => fragments.extend(files.iter().filter_map(|file| {
            // Whoever puts a pipe here does not wait at it.
            fragment(file, read::text_within(file, LIMIT), true)
        })),
        Err(error) => fragments.push(Fragment::unreadable(&folder, &error.to_string())),
    }
    fragments
}

fn fragment(file: &Path, text: io::Result<String>, must_exist: bool) -> Option<Fragment> {
    match text {
        Ok(text) => Some(Fragment::parse(file, &text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
        Err(error) => Some(Fragment::unreadable(file, &error.to_string())),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Other suffixes, such as those of package managers and editors, are passed over; so are hidden files.
fn drop_ins(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        // What stands there and is no directory, a link to nothing too, is no reason to go on without what it should say.
        Err(_) if fs::symlink_metadata(folder).is_err_and(|error| is_absent(&error)) => return Ok(Vec::new()),
        entries => entries?.take(COUNT_LIMIT + 1).collect::<io::Result<Vec<_>>>()?,
    };
    if entries.len() > COUNT_LIMIT {
        return Err(io::Error::other(format!("more than {COUNT_LIMIT} files")));
    }
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| {
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.extension().is_some_and(|suffix| suffix == "toml") && !is_hidden
    });
    files.sort();
    Ok(files)
}
