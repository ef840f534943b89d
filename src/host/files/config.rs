//! The files of the configuration: one, and the drop-ins beside it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::model::config::Fragment;

/// Where the configuration is unless the daemon is told otherwise.
pub const CONFIG_FILE: &str = "/etc/cxi-device-plugin/config.toml";
/// Folder of drop-ins beside the file.
const DROP_INS: &str = "config.d";
/// Far above what anybody writes; stops a file without end.
const LIMIT: u64 = 1 << 20;

/// Reads the file and, by name, its drop-ins. That the file is not there is a fault only if it `must_exist`.
pub fn read(file: &Path, must_exist: bool) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = fragment(file, must_exist).into_iter().collect();
    let folder = file.parent().unwrap_or(Path::new("")).join(DROP_INS);
    match drop_ins(&folder) {
        Ok(files) => fragments.extend(files.iter().filter_map(|file| fragment(file, true))),
        Err(error) => fragments.push(Fragment::unreadable(&folder, &error.to_string())),
    }
    fragments
}

fn fragment(file: &Path, must_exist: bool) -> Option<Fragment> {
    match text(file) {
        Ok(text) => Some(Fragment::parse(file, &text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
        Err(error) => Some(Fragment::unreadable(file, &error.to_string())),
    }
}

/// Other suffixes, such as those of package managers and editors, are passed over; so are hidden files.
fn drop_ins(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?.collect::<io::Result<Vec<_>>>()?,
    };
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

/// The whole text: half of it could be a configuration, too.
fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if length as u64 > LIMIT {
        return Err(io::Error::other(format!("longer than {LIMIT} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not a text in UTF-8"))
}
