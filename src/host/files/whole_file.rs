//! A file of the host as one text: configuration, tables of the kernel, records. Unlike an attribute, it may be missing, and
//! its links are those of the host.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::roots::Roots;
use crate::model::nic::inventory::{Reading, Unread};

impl Roots {
    /// A file's whole text, wherever its links lead on the host; none where there is no file.
    pub fn file(&self, host_path: &Path, limit: u64) -> Reading<Option<String>> {
        let real = match self.follow_telling(host_path, |_, _| {}) {
            Err((_, error)) if is_absent(&error) => return Ok(None),
            followed => followed.map_err(|(path, error)| Unread::new(path, error))?,
        };
        let unread = |reason: &dyn fmt::Display| Unread::new(host_path, reason);
        // Before it is opened, which does something to a device.
        match fs::symlink_metadata(self.here(&real)) {
            Ok(metadata) if !metadata.is_file() => return Err(unread(&"not a regular file")),
            _ => {}
        }
        let file = match self.open(&real) {
            Err(error) if is_absent(&error) => return Ok(None), // gone meanwhile
            opened => opened.map_err(|error| unread(&error))?,
        };
        let mut bytes = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        if read.map_err(|error| unread(&error))? as u64 > limit {
            return Err(unread(&format!("longer than {limit} bytes")));
        }
        String::from_utf8(bytes).map(Some).map_err(|_| unread(&"not a text"))
    }
}

/// Whether nothing is there, not even a process: those that end take their files in /proc with them.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
}
