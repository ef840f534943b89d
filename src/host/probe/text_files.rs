//! Files of the host as texts, and the names in its directories.

use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::doctor::facts::TextFile;
use crate::model::reading::Reading;

/// Routes and addresses of a busy host.
const TABLE_LIMIT: u64 = 4 << 20;
/// Configuration files and the like.
pub const FILE_LIMIT: u64 = 1 << 20;

/// A file as it is, with its limit.
pub fn text_file(roots: &Roots, path: impl Into<PathBuf>) -> TextFile {
    let path = path.into();
    TextFile {
        text: roots.file(&path, FILE_LIMIT),
        path,
    }
}

/// A table of the kernel, which is long on a large host.
pub fn table(roots: &Roots, path: &str) -> TextFile {
    TextFile {
        path: path.into(),
        text: roots.file(Path::new(path), TABLE_LIMIT),
    }
}

/// Names in a directory, wherever its links lead on the host; none where there is no directory.
pub fn entries(roots: &Roots, directory: &Path) -> Reading<Vec<String>> {
    let real = roots.resolve(directory);
    roots.names_if_there(&real.unwrap_or_else(|_| directory.to_owned()))
}
