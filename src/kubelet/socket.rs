//! Our socket in kubelet's directory. Each server gets a new name, so that the end of an old connection can never be
//! taken for the end of the new one (kubelet 1.25 to 1.36 drops a plugin's newer registration with the older stream).

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use tokio::net::UnixListener;

use crate::resource::ResourceName;

/// A socket file of ours, removed when this value goes, unless somebody else has put another file there.
#[derive(Debug)]
pub struct OwnSocket {
    path: PathBuf,
    identity: (u64, u64),
}

impl OwnSocket {
    /// Binds `cxi-<hash>-<pid>-<count>.sock`, for root only from the first instant.
    pub fn bind(directory: &Path, resource: &ResourceName, count: u64) -> io::Result<(Self, UnixListener)> {
        remove_dead(directory, resource);
        let path = directory.join(format!(
            "cxi-{}-{}-{count}.sock",
            resource.short_hash(),
            std::process::id()
        ));
        let old = umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(&path);
        umask(old);
        let listener = listener?;
        let identity = identity(&path)?;
        Ok((Self { path, identity }, listener))
    }

    /// The name that kubelet joins to its directory.
    pub fn file_name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Whether the path still leads to us: a starting kubelet removes all sockets it finds.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        if self.is_in_place() {
            // Nothing to be done about a failure: the next start removes what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Removes what predecessors that were killed have left. A socket that somebody serves is let be.
fn remove_dead(directory: &Path, resource: &ResourceName) {
    let prefix = format!("cxi-{}-", resource.short_hash());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        if is_socket && is_ours(&name, &prefix) && is_dead(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// `<prefix><pid>-<count>.sock`
fn is_ours(name: &str, prefix: &str) -> bool {
    let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".sock"));
    let numbers = middle.and_then(|middle| middle.split_once('-'));
    numbers.is_some_and(|(pid, count)| pid.parse::<u32>().is_ok() && count.parse::<u64>().is_ok())
}

fn is_dead(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
