//! Our socket in kubelet's directory. Each server gets a new name, so that the end of an old connection can never be
//! taken for the end of the new one (kubelet 1.25 to 1.36 drops a plugin's newer registration with the older stream).

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net;
use std::path::Path;

use nix::sys::stat::Mode;

use crate::host::files::unix_socket::{SocketFile, is_dead};
use crate::model::alloc::resource::ResourceName;

/// Names begin anew after so many, as a socket's path has little room (`model/config/socket_path.rs`).
const COUNTS: u64 = 1_000_000;

/// Binds `cxi-<hash>-<pid>-<count>.sock`, for root only.
///
/// # Errors
/// What the system says.
pub fn bind(directory: &Path, resource: &ResourceName, count: u64) -> io::Result<(SocketFile, net::UnixListener)> {
    remove_dead(directory, resource);
    let (pid, count) = (std::process::id(), count % COUNTS);
    let path = directory.join(format!("cxi-{}-{pid}-{count}.sock", resource.short_hash()));
    SocketFile::bind(&path, Mode::S_IRUSR | Mode::S_IWUSR)
}

/// Whether an entry of kubelet's directory is anything to us: kubelet's socket, one of ours, or one of another plugin for
/// our resource. Kubelet itself writes its checkpoint there, and every plugin of the node has a socket.
pub fn concerns(name: &str, resource: &ResourceName) -> bool {
    let ours = format!("cxi-{}-", resource.short_hash());
    name == "kubelet.sock" || name.starts_with(&ours) || name == resource.to_string().replace('/', "_")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_kubelets_directory_only_these_sockets_concern_us() {
        let resource: ResourceName = "beta.hpe.com/cxi".parse().unwrap();
        let own = format!("cxi-{}-12-1.sock", resource.short_hash());
        for name in ["kubelet.sock", "beta.hpe.com_cxi", &own] {
            assert!(concerns(name, &resource), "{name}");
        }
        for name in [
            "kubelet_internal_checkpoint",
            ".1872632",
            "amd.com_gpu",
            "cxi-00000000-12-1.sock",
        ] {
            assert!(!concerns(name, &resource), "{name}");
        }
    }
}
