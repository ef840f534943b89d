//! Our socket in kubelet's directory. Each server gets a new name, so that the end of an old connection can never be
//! taken for the end of the new one (kubelet 1.25 to 1.36 drops a plugin's newer registration with the older stream).

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal;
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use super::competing;
use crate::host::files::unix_socket::{SocketFile, is_dead};
use crate::model::alloc::resource::ResourceName;

/// Names begin anew after so many, as a socket's path has little room (`model/config/socket_path.rs`).
const COUNTS: u64 = 1_000_000;
/// Hexadecimal digits of a resource's hash.
const HASH: usize = 8;

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
    name == "kubelet.sock"
        || parts(name).is_some_and(|(hash, _)| hash == resource.short_hash())
        || competing::is_socket_for(name, resource)
}

/// Removes what predecessors that were killed have left, for whatever resource. A socket that somebody serves is let be.
fn remove_dead(directory: &Path, resource: &ResourceName) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        let Some((hash, pid)) = parts(&name).filter(|_| is_socket) else {
            continue;
        };
        // One of another resource may be about to be served, by a process that lives.
        let is_ours = hash == resource.short_hash() || !lives(pid);
        if is_ours && is_dead(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Hash and process id of `cxi-<hash>-<pid>-<count>.sock`.
fn parts(name: &str) -> Option<(&str, u32)> {
    let mut parts = name.strip_prefix("cxi-")?.strip_suffix(".sock")?.split('-');
    let (hash, pid, count) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hash = hash.len() == HASH && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_ours = is_hash && parts.next().is_none() && count.parse::<u64>().is_ok();
    pid.parse().ok().filter(|_| is_ours).map(|pid| (hash, pid))
}

/// Whether another process has this id. Ours was a predecessor's, as in a container.
fn lives(pid: u32) -> bool {
    let other = i32::try_from(pid).ok().filter(|_| pid != std::process::id());
    other.is_some_and(|pid| pid > 0 && signal::kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_making_have_parts() {
        assert_eq!(parts("cxi-0123abcd-42-7.sock"), Some(("0123abcd", 42)));
        for name in [
            "kubelet.sock",
            "cxi-0123abcd-42.sock",
            "cxi-0123abcd-42-7-1.sock",
            "cxi-0123ABCD-42-7.sock",
            "cxi-123-42-7.sock",
            "cxi-0123abcd-x-7.sock",
            "cxi-0123abcd-42-7.sock.tmp",
        ] {
            assert_eq!(parts(name), None, "{name}");
        }
        assert!(!lives(std::process::id()));
    }

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
