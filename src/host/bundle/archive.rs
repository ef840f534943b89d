//! The archive as a file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tar::{Builder, EntryType, Header};
use thiserror::Error;

use super::collection::Entry;
use crate::host::files::atomic_file;

/// The first file in a bundle, by which one is known.
pub const REPORT: &str = "doctor.json";
/// The tree of the host in there.
const ROOT: &str = "root";
/// Of what stands beside it.
const MODE: u32 = 0o644;

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// Overwriting it would lose something.
    #[error("{} is there and is no bundle: remove it, or name another file", .0.display())]
    Other(PathBuf),
    /// A name is needed, not a directory.
    #[error("'{}' is no name for a file: give one, such as ./node.tar", .0.display())]
    NoName(PathBuf),
    /// It would show as noise there.
    #[error("standard output is a terminal: name a file, or redirect it")]
    Terminal,
    /// The file system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BundleError {
    move |source| BundleError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Only a bundle may be there already: a plain file that begins as ours do.
pub fn refuse_other(target: &Path) -> Result<(), BundleError> {
    let metadata = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed("look at", target))?,
    };
    let mut start = vec![0; REPORT.len() + 1];
    let is_bundle = metadata.is_file()
        && File::open(target)
            .and_then(|mut file| file.read_exact(&mut start))
            .is_ok()
        && start.strip_suffix(&[0]) == Some(REPORT.as_bytes());
    if is_bundle {
        Ok(())
    } else {
        Err(BundleError::Other(target.to_owned()))
    }
}

/// A value for programs, with a line end.
pub fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The end of a file.
pub fn end_of(path: &Path, limit: u64) -> Result<Vec<u8>, BundleError> {
    let read = || {
        let flags = nix::libc::O_NONBLOCK;
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(failed("read", path))
}

/// Writes it all: what stands beside the tree, in this order, then the tree.
pub fn write(target: &Path, beside: &[(&str, Vec<u8>)], tree: &BTreeMap<PathBuf, Entry>) -> Result<usize, BundleError> {
    let name = target.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| BundleError::NoName(target.to_owned()))?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    atomic_file::remove_leftovers(directory, name);
    // Of mode 0600, as it stays.
    let mut file = atomic_file::create_temporary(directory, name).map_err(failed("create a file in", directory))?;
    append_all(BufWriter::new(file.as_file_mut()), beside, tree).map_err(failed("write", target))?;
    file.as_file().sync_all().map_err(failed("write", target))?;
    file.persist(target)
        .map_err(|error| failed("replace", target)(error.error))?;
    Ok(beside.len() + tree.len())
}

/// An archive is for no terminal.
pub fn refuse_terminal() -> Result<(), BundleError> {
    match io::stdout().is_terminal() {
        true => Err(BundleError::Terminal),
        false => Ok(()),
    }
}

/// Writes it all to standard output.
pub fn print(beside: &[(&str, Vec<u8>)], tree: &BTreeMap<PathBuf, Entry>) -> Result<usize, BundleError> {
    let written = append_all(BufWriter::new(io::stdout().lock()), beside, tree);
    written.map_err(failed("write", Path::new("standard output")))?;
    Ok(beside.len() + tree.len())
}

fn append_all(out: impl Write, beside: &[(&str, Vec<u8>)], tree: &BTreeMap<PathBuf, Entry>) -> io::Result<()> {
    let mut archive = Builder::new(out);
    {
        for (name, bytes) in beside {
            append_file(&mut archive, Path::new(name), MODE, bytes)?;
        }
        for (path, entry) in tree {
            append_entry(
                &mut archive,
                &Path::new(ROOT).join(path.strip_prefix("/").unwrap_or(path)),
                entry,
            )?;
        }
    }
    archive.into_inner().and_then(|mut out| out.flush())
}

fn append_file(archive: &mut Builder<impl Write>, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = header(EntryType::Regular, mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

fn append_entry(archive: &mut Builder<impl Write>, path: &Path, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Directory { mode } => archive.append_data(&mut header(EntryType::Directory, *mode), path, io::empty()),
        Entry::File { mode, bytes } => append_file(archive, path, *mode, bytes),
        Entry::Link { target } => archive.append_link(&mut header(EntryType::Symlink, 0o777), path, target),
        Entry::Size { mode, bytes } => {
            let mut header = header(EntryType::GNUSparse, *mode);
            if let Some(gnu) = header.as_gnu_mut() {
                gnu.set_real_size(*bytes);
                // One empty piece at the end says how long the hole is.
                if let Some(piece) = gnu.sparse.first_mut() {
                    piece.set_offset(*bytes);
                    piece.set_length(0);
                }
            }
            archive.append_data(&mut header, path, io::empty())
        }
        Entry::Node { mode, major, minor } => {
            let mut header = header(EntryType::Char, *mode);
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            archive.append_data(&mut header, path, io::empty())
        }
    }
}

/// Without time and owner: the same node gives the same bytes.
fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
