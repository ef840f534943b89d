//! Files below a directory whose owner is not to be trusted and may change it at any moment: a container's root. What was
//! resolved is opened without following any link, so nothing outside is reached; and only plain files are opened to be
//! read, as opening a device may do something.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};

/// Opens for reading what stands at `real`, a path below `top` with all links followed already.
pub fn open(top: &Path, real: &Path) -> io::Result<File> {
    let at = locate(top, real)?;
    let kind = SFlag::from_bits_truncate(status(&at)?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFREG {
        return Err(io::Error::other("not a plain file"));
    }
    File::open(by_descriptor(&at))
}

/// The entries of such a directory.
pub fn entries(top: &Path, real: &Path) -> io::Result<fs::ReadDir> {
    fs::read_dir(by_descriptor(&locate(top, real)?))
}

/// Type, mode, owner and numbers of what stands there.
pub fn look(top: &Path, real: &Path) -> io::Result<FileStat> {
    status(&locate(top, real)?)
}

/// A descriptor that stands for the file without having opened it.
fn locate(top: &Path, real: &Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let top = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_PATH.bits())
        .open(top)?;
    let names = real.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    names.into_iter().try_fold(OwnedFd::from(top), |at, name| {
        openat(&at, name, flags | OFlag::O_NOFOLLOW, Mode::empty()).map_err(io::Error::from)
    })
}

fn status(at: &OwnedFd) -> io::Result<FileStat> {
    fstatat(at, "", AtFlags::AT_EMPTY_PATH).map_err(io::Error::from)
}

fn by_descriptor(at: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", at.as_raw_fd())
}
