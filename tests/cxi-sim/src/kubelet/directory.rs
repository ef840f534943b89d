//! Kubelet's directory of sockets: how it is prepared at start, and what lies in it.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::rules::registration::EndpointFile;

/// Kubelet's own socket (`KubeletSocket` in `constants.go`).
pub const SOCKET: &str = "kubelet.sock";
/// Kubelet's checkpoint, which it never cleans away.
pub const CHECKPOINT: &str = "kubelet_internal_checkpoint";

/// What kubelet does to its directory at start, in its order (`server.go`, `Start`; `manager.go`,
/// `CleanupPluginDirectory`): make it, remove every socket in it, listen on its own.
pub fn prepare(dir: &Path) -> io::Result<UnixListener> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(dir)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // Directories and plain files stay, so a socket in a sub-directory does too.
        if entry.file_name() != CHECKPOINT && entry.file_type()?.is_socket() {
            remove(&entry.path())?;
        }
    }
    let listener = UnixListener::bind(dir.join(SOCKET))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens at the socket of PodResources, whoever had it before.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = socket.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    }
    remove(socket)?;
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a file that may be gone already: a plugin may clean up at the same time.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The path of an endpoint as Go's `filepath.Join` makes it: an absolute endpoint still lands below `dir`.
pub fn endpoint_path(dir: &Path, endpoint: &str) -> PathBuf {
    dir.join(endpoint.trim_start_matches('/'))
}

/// What lies at the path of an endpoint.
pub fn endpoint_file(path: &Path) -> EndpointFile {
    match fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => EndpointFile::Socket(metadata.mode()),
        Ok(_) => EndpointFile::NotSocket,
        Err(_) => EndpointFile::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_removes_sockets_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("device-plugins");
        drop(prepare(&dir).unwrap());
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o027, 0);
        drop(UnixListener::bind(dir.join("plugin.sock")).unwrap());
        fs::create_dir(dir.join("sub")).unwrap();
        drop(UnixListener::bind(dir.join("sub/plugin.sock")).unwrap());
        fs::write(dir.join("plain.sock"), "").unwrap();
        fs::write(dir.join(CHECKPOINT), "{}").unwrap();

        let _listener = prepare(&dir).unwrap();
        assert!(!dir.join("plugin.sock").exists());
        for stays in ["sub/plugin.sock", "plain.sock", CHECKPOINT, SOCKET] {
            assert!(dir.join(stays).exists(), "{stays}");
        }
    }
}
