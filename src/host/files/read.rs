//! A file as one text, bounded: configuration, tables of the kernel, records, specs. Unlike an attribute, it may be missing.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::roots::Roots;
use super::untrusted::{kernel_file_system, of_the_kernel};
use crate::model::cdi::drift::Seen;
use crate::model::reading::{ReadError, Reading};

/// Specs are a few kilobytes; a larger file is nobody's spec.
const SIZE_LIMIT: u64 = 4 << 20;

impl Roots {
    /// A file's whole text, wherever its links lead on the host; none where there is no file.
    pub fn file(&self, host_path: &Path, limit: u64) -> Reading<Option<String>> {
        let real = match self.follow_telling(host_path, |_, _| {}) {
            Err((_, error)) if is_absent(&error) => return Ok(None),
            followed => followed.map_err(|(path, error)| ReadError::new(path, error))?,
        };
        let read_error = |reason: &dyn fmt::Display| ReadError::new(host_path, reason);
        let file = match self.open_plain(&real) {
            Err(error) if is_absent(&error) => return Ok(None), // gone meanwhile
            opened => opened.map_err(|error| read_error(&error))?,
        };
        let mut bytes = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        if read.map_err(|error| read_error(&error))? as u64 > limit {
            return Err(read_error(&format!("longer than {limit} bytes")));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| read_error(&"not a text"))
    }
}

/// Whether nothing is there, not even a process: those that end take their files in /proc with them.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
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

/// A file's whole text, or why it has none; no link is followed to it. It is a regular file on a file system for data: those of
/// the kernel may wait, or lose what is read.
pub fn text(path: &Path) -> Result<String, String> {
    let file = data(path, nix::libc::O_NOFOLLOW).map_err(|error| error.to_string())?;
    bounded(file, SIZE_LIMIT).map_err(|error| error.to_string())
}

/// The same wherever a link leads.
pub fn text_by_link(path: &Path) -> Result<String, String> {
    text_within(path, SIZE_LIMIT).map_err(|error| error.to_string())
}

/// The same of another size.
pub fn text_within(path: &Path, limit: u64) -> io::Result<String> {
    bounded(data(path, 0)?, limit)
}

/// The same of a file of the kernel.
pub fn text_of_kernel(path: &Path, limit: u64) -> io::Result<String> {
    bounded(regular(path, 0)?, limit)
}

/// What the kernel calls this boot of the node; empty where it says nothing.
pub fn boot_id() -> String {
    let id = text_of_kernel(Path::new("/proc/sys/kernel/random/boot_id"), 64);
    id.map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// As [`text_within`], or what comes through a descriptor that this program was started with: `<(…)` of a shell. Whoever gives that
/// waits for it, too.
pub fn text_within_or_piped(path: &Path, limit: u64) -> io::Result<String> {
    let is_descriptor = ["/dev/fd/", "/proc/self/fd/", "/dev/stdin"]
        .iter()
        .any(|names| path.as_os_str().as_encoded_bytes().starts_with(names.as_bytes()));
    if is_descriptor && fs::metadata(path)?.file_type().is_fifo() {
        return bounded(File::open(path)?, limit);
    }
    text_within(path, limit)
}

/// Found by a descriptor that has opened nothing, and opened by that: the name may become another file's at any moment, and to
/// open a pipe or a device does something to it.
///
/// # Errors
/// What is there is no regular file, or what the system says.
pub fn regular(path: &Path, flags: i32) -> io::Result<File> {
    regular_by(OpenOptions::new().read(true), path, flags)
}

/// The same, for more than reading.
///
/// # Errors
/// The same.
pub fn regular_by(how: &OpenOptions, path: &Path, flags: i32) -> io::Result<File> {
    let at = found(path, flags)?;
    how.open(format!("/proc/self/fd/{}", at.as_raw_fd()))
}

fn data(path: &Path, flags: i32) -> io::Result<File> {
    let at = found(path, flags)?;
    match kernel_file_system(&at)? {
        Some(name) => Err(of_the_kernel(name)),
        None => File::open(format!("/proc/self/fd/{}", at.as_raw_fd())),
    }
}

fn found(path: &Path, flags: i32) -> io::Result<File> {
    let flags = nix::libc::O_PATH | flags;
    let at = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match at.metadata()? {
        metadata if metadata.is_symlink() => Err(io::Error::other("a symbolic link")),
        metadata if !metadata.is_file() => Err(io::Error::other("not a regular file")),
        _ => Ok(at),
    }
}

fn bounded(file: File, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    if file.take(limit + 1).read_to_end(&mut bytes)? as u64 > limit {
        return Err(io::Error::other(format!("longer than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not a text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_has_a_name_and_files_of_the_kernel_are_no_files_of_ours() {
        assert_eq!(boot_id().len(), 36);
        assert!(text(Path::new("/proc/self/maps")).is_err());
        assert!(
            text_of_kernel(Path::new("/proc/self/maps"), 1 << 20)
                .unwrap()
                .contains("r-xp")
        );
    }
}
