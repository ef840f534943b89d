//! Another plugin for our resource, such as the Go plugin's DaemonSet that was not removed. Kubelet listens to whoever
//! registered last, and each of the two takes that for a loss and registers again. What proves it is a socket that somebody
//! serves; streams that end have other causes, too.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::host::files::unix_socket::is_alive;
use crate::model::alloc::resource::ResourceName;

/// Names of sockets that have been named.
pub type Named = BTreeSet<String>;

/// So many are called in one look, as each takes a descriptor.
const CALLS: usize = 64;

/// The names of other plugins' living sockets that have not been named before.
pub fn sockets(kubelet_dir: &Path, resource: &ResourceName, named: &Named) -> Vec<String> {
    (fs::read_dir(kubelet_dir).into_iter().flatten().flatten())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| is_socket_for(name, resource) && !named.contains(name))
        .take(CALLS)
        .filter(|(_, path)| is_alive(path))
        .map(|(name, _)| name)
        .collect()
}

/// kubevirt's device-plugin-manager, which the Go plugin is built with, names its sockets `<domain>_<name>`; our own of
/// another process begin as ours do.
pub fn is_socket_for(socket: &str, resource: &ResourceName) -> bool {
    let of_the_go_plugin = resource.to_string().replace('/', "_");
    let ours = format!("cxi-{}-", resource.short_hash());
    let ours_now = format!("{ours}{}-", std::process::id());
    socket == of_the_go_plugin || (socket.starts_with(&ours) && !socket.starts_with(&ours_now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_told_apart_by_their_names() {
        let resource: ResourceName = "beta.hpe.com/cxi".parse().unwrap();
        let hash = resource.short_hash();
        assert!(is_socket_for("beta.hpe.com_cxi", &resource));
        assert!(is_socket_for(&format!("cxi-{hash}-0-1.sock"), &resource));
        for other in [
            &format!("cxi-{hash}-{}-1.sock", std::process::id()),
            "cxi-00000000-1-1.sock",
            "beta.hpe.com_cxi2",
            "amd.com_gpu",
            "kubelet.sock",
        ] {
            assert!(!is_socket_for(other, &resource), "{other}");
        }
    }
}
