//! What goes into the tree of a bundle, by its path on the host. Links are taken as links, and what stands where they lead
//! under its real path, so that the same paths lead to the same things in the copy.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::reading::{ReadError, Reading};

/// Far above what a node with hundreds of NICs has.
const ENTRY_LIMIT: usize = 1 << 17;
/// Of all files together.
const BYTES_LIMIT: usize = 64 << 20;
/// Where we do not ask for it.
const FILE_MODE: u32 = 0o644;

/// A thing in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// With what is listed below it.
    Directory { mode: u32 },
    /// With its content.
    File { mode: u32, bytes: Vec<u8> },
    /// Of which only the size is of interest.
    Size { mode: u32, bytes: u64 },
    /// A symbolic link.
    Link { target: PathBuf },
    /// A character device.
    Node { mode: u32, major: u32, minor: u32 },
}

/// A tree in the making.
#[derive(Debug)]
pub struct Collection<'roots> {
    pub roots: &'roots Roots,
    /// By path on the host.
    pub entries: BTreeMap<PathBuf, Entry>,
    left_out: Vec<ReadError>,
    bytes: usize,
}

impl<'roots> Collection<'roots> {
    pub fn new(roots: &'roots Roots) -> Self {
        Self {
            roots,
            entries: BTreeMap::new(),
            left_out: Vec::new(),
            bytes: 0,
        }
    }

    /// Puts something at a real path.
    pub fn put(&mut self, real: PathBuf, entry: Entry) {
        let bytes = match &entry {
            Entry::File { bytes, .. } => bytes.len(),
            _ => 0,
        };
        if self.entries.len() >= ENTRY_LIMIT || self.bytes + bytes > BYTES_LIMIT {
            return self.leave_out(ReadError::new(real, "the bundle is full"));
        }
        self.bytes += bytes;
        self.entries.insert(real, entry);
    }

    pub fn leave_out(&mut self, read_error: ReadError) {
        self.left_out.push(read_error);
    }

    /// One line for each thing that is not there.
    pub fn left_out_text(&self) -> String {
        let always = "environment values of specs and configuration; keys of other programs' configuration that say nothing \
                      of CDI, devices or memory; routes and addresses of netdevs other than the NICs' and those above\n";
        let lines = self.left_out.iter().map(|read_error| format!("{read_error}\n"));
        std::iter::once(always.to_owned()).chain(lines).collect()
    }

    /// Where a path really leads, with every link on the way put; none, with a word, where it leads nowhere.
    pub fn place(&mut self, path: &Path) -> Option<PathBuf> {
        let mut links = Vec::new();
        let followed = self
            .roots
            .follow_telling(path, |link, target| links.push((link.to_owned(), target.to_owned())));
        for (link, target) in links {
            self.put(link, Entry::Link { target });
        }
        followed
            .map_err(|(at, error)| self.leave_out(ReadError::new(at, error)))
            .ok()
    }

    /// A text under its own or another mode; nothing where there is none.
    pub fn text(
        &mut self,
        path: &Path,
        mode: Option<u32>,
        text: &Reading<Option<String>>,
        reduce: impl Fn(&str) -> String,
    ) {
        match text {
            Err(read_error) => self.leave_out(read_error.clone()),
            Ok(None) => {}
            Ok(Some(text)) => {
                let Some(real) = self.place(path) else { return };
                let entry = Entry::File {
                    mode: mode.unwrap_or(FILE_MODE),
                    bytes: reduce(text).into_bytes(),
                };
                self.put(real, entry);
            }
        }
    }

    /// An empty file where something stands that does not go into an archive, such as a socket.
    pub fn stand_in(&mut self, path: &Path) {
        let nothing = Entry::File {
            mode: FILE_MODE,
            bytes: Vec::new(),
        };
        if let Some(real) = self.place(path) {
            self.put(real, nothing);
        }
    }

    /// A directory, if it is one.
    pub fn directory(&mut self, path: &Path) {
        if self.roots.resolve(path).is_err() {
            return;
        }
        let Some(real) = self.place(path) else { return };
        if let Ok(metadata) = fs::symlink_metadata(self.roots.local_path(&real))
            && metadata.is_dir()
        {
            let mode = metadata.permissions().mode() & 0o7777;
            self.put(real, Entry::Directory { mode });
        }
    }
}
