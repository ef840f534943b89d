//! Device nodes `/dev/cxiN`.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

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

/// Major and minor number of a device node, written `10:224`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNumbers {
    /// The driver's.
    pub major: u32,
    /// The device's.
    pub minor: u32,
}

impl DeviceNumbers {
    const FULL: Self = Self {
        major: MAJOR,
        minor: MINOR,
    };
}

impl fmt::Display for DeviceNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for DeviceNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str, limit: u32| part.parse().ok().filter(|number| *number < limit);
        // What the kernel has room for: 12 and 20 bits.
        text.split_once(':')
            .and_then(|(major, minor)| Some((number(major, 1 << 12)?, number(minor, 1 << 20)?)))
            .map(|(major, minor)| Self { major, minor })
            .ok_or_else(|| format!("\"{text}\" is not MAJOR:MINOR"))
    }
}

/// What the emulated device nodes are. Commands fail with ENOSPC on those of `/dev/full`, with `stat` 1:7 for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceNodes {
    /// Character device nodes with the numbers of `/dev/full`. Needs root and a file system without `nodev`.
    Character,
    /// Character device nodes with numbers of their own: these and N more for `cxiN`. A device cgroup can tell them apart and
    /// refuse them, which it never does with `/dev/full`. No driver need be behind them. Needs root.
    Numbered(DeviceNumbers),
    /// Symlinks to `/dev/full`: what is possible without root.
    LinkToDevFull,
}

impl fmt::Display for DeviceNodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character => f.write_str("character device nodes with the numbers of /dev/full (1:7)"),
            Self::Numbered(first) => write!(f, "character device nodes with the numbers {first} and following"),
            Self::LinkToDevFull => f.write_str("symlinks to /dev/full, as character device nodes cannot be made here"),
        }
    }
}

impl DeviceNodes {
    /// Finds out what can be made, and opened, in this directory.
    pub(super) fn probe(directory: &Path) -> Result<Self> {
        let path = directory.join(".probe");
        let made = make_character(&path, DeviceNumbers::FULL);
        // On a file system mounted with nodev the node can be made but not opened.
        let opened = made.and_then(|()| OpenOptions::new().read(true).write(true).open(&path).map(drop));
        remove_file(&path)?;
        Ok(if opened.is_ok() {
            Self::Character
        } else {
            Self::LinkToDevFull
        })
    }

    /// Numbers of the device node of `cxiN`.
    pub(super) fn numbers(self, cxi: u32) -> DeviceNumbers {
        match self {
            Self::Numbered(first) => DeviceNumbers {
                minor: first.minor.saturating_add(cxi),
                ..first
            },
            Self::Character | Self::LinkToDevFull => DeviceNumbers::FULL,
        }
    }

    /// Makes the device node of `cxiN`.
    pub(super) fn make(self, path: &Path, cxi: u32) -> Result<()> {
        match self {
            Self::LinkToDevFull => make_link("/dev/full", path),
            Self::Character | Self::Numbered(_) => make_character(path, self.numbers(cxi)).context("create", path),
        }
    }

    /// Makes the device node of the link driver, of a major number of its own where the numbers tell nodes apart.
    pub(super) fn make_link_driver(self, path: &Path) -> Result<()> {
        let numbers = match self {
            Self::LinkToDevFull => return make_link("/dev/full", path),
            Self::Character => DeviceNumbers::FULL,
            Self::Numbered(first) => DeviceNumbers {
                major: first.major.saturating_sub(1),
                minor: 0,
            },
        };
        make_with_mode(path, numbers, 0o600).context("create", path)
    }
}

/// The node of the link driver beside those of the NICs, which is root's and no NIC.
pub(super) const LINK_DRIVER: &str = "cxi_sbl";

fn make_character(path: &Path, numbers: DeviceNumbers) -> io::Result<()> {
    make_with_mode(path, numbers, 0o666)
}

fn make_with_mode(path: &Path, numbers: DeviceNumbers, mode: u32) -> io::Result<()> {
    let numbers = makedev(numbers.major.into(), numbers.minor.into());
    mknod(path, SFlag::S_IFCHR, Mode::from_bits_truncate(mode), numbers)
        .map_err(|errno: Errno| io::Error::from(errno))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
