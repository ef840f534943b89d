//! Device nodes `/dev/cxiN`.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde::{Deserialize, Serialize};

use super::error::{Context, Result};
use super::tree::{make_link, remove_file};

// A real node takes commands by write(2) and answers through pointers into the caller's memory, which no plain file can
// do. So a command written to an emulated node must fail, and fail as on no other node: ENOSPC, the answer of /dev/full.
// /dev/null would swallow the command, and the caller would take its own untouched reply buffer for the answer.
/// Major number of the device nodes, that of `/dev/full`.
pub(super) const MAJOR: u32 = 1;
/// Minor number of the device nodes, that of `/dev/full`.
pub(super) const MINOR: u32 = 7;

/// What the emulated device nodes are. Commands fail with ENOSPC on both, and `stat` gives the numbers 1:7 on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceNodes {
    /// Character device nodes with the numbers of `/dev/full`. Needs root and a file system without `nodev`.
    Character,
    /// Symlinks to `/dev/full`: what is possible without root.
    LinkToDevFull,
}

impl fmt::Display for DeviceNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "character device nodes with the numbers of /dev/full (1:7)",
            Self::LinkToDevFull => "symlinks to /dev/full, as character device nodes cannot be made here",
        })
    }
}

impl DeviceNodes {
    /// Finds out what can be made, and opened, in this directory.
    pub(super) fn probe(directory: &Path) -> Result<Self> {
        let path = directory.join(".probe");
        let made = make_character(&path);
        // On a file system mounted with nodev the node can be made but not opened.
        let opened = made.and_then(|()| OpenOptions::new().read(true).write(true).open(&path).map(drop));
        remove_file(&path)?;
        Ok(if opened.is_ok() {
            Self::Character
        } else {
            Self::LinkToDevFull
        })
    }

    pub(super) fn make(self, path: &Path) -> Result<()> {
        match self {
            Self::Character => make_character(path).context("create", path),
            Self::LinkToDevFull => make_link("/dev/full", path),
        }
    }
}

fn make_character(path: &Path) -> io::Result<()> {
    let numbers = makedev(u64::from(MAJOR), u64::from(MINOR));
    mknod(path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), numbers)
        .map_err(|errno: Errno| io::Error::from(errno))?;
    fs::set_permissions(path, Permissions::from_mode(0o666))
}
