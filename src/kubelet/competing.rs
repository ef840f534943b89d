//! Another plugin for our resource, such as the Go plugin's DaemonSet that was not removed. Kubelet listens to whoever
//! registered last, and each of the two takes that for a loss and registers again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::model::alloc::resource::ResourceName;

/// So many times within [`WINDOW`] are no accident.
const TIMES: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

/// What points to another plugin, and what of it has been said.
#[derive(Debug, Default)]
pub struct CompetingPlugins {
    said: BTreeSet<String>,
    displaced: Vec<Duration>,
}

impl CompetingPlugins {
    /// The names of other plugins' living sockets that have not been returned before.
    pub fn sockets(&mut self, kubelet_dir: &Path, resource: &ResourceName) -> Vec<String> {
        let competing: Vec<_> = (fs::read_dir(kubelet_dir).into_iter().flatten().flatten())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
            .filter(|(name, _)| is_socket_for(name, resource) && !self.said.contains(name))
            .filter(|(_, path)| UnixStream::connect(path).is_ok())
            .map(|(name, _)| name)
            .collect();
        self.said.extend(competing.iter().cloned());
        competing
    }

    /// Kubelet, living on, has ended our stream at this time. Returns true once, when that happens again and again.
    pub fn displaced(&mut self, now: Duration) -> bool {
        self.displaced.retain(|before| now.saturating_sub(*before) < WINDOW);
        self.displaced.push(now);
        self.displaced.len() >= TIMES && self.said.insert(String::new())
    }
}

/// kubevirt's device-plugin-manager, which the Go plugin is built with, names its sockets `<domain>_<name>`; our own of
/// another process begin as ours do.
fn is_socket_for(socket: &str, resource: &ResourceName) -> bool {
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

    #[test]
    fn only_many_times_in_a_short_while_are_said_and_only_once() {
        let at = |competing: &mut CompetingPlugins, seconds: &[u64]| {
            let said = seconds
                .iter()
                .map(|second| competing.displaced(Duration::from_secs(*second)));
            said.collect::<Vec<_>>()
        };
        assert_eq!(at(&mut CompetingPlugins::default(), &[0, 30, 60, 90, 120]), [false; 5]);
        assert_eq!(
            at(&mut CompetingPlugins::default(), &[0, 1, 2, 3, 4, 5]),
            [false, false, true, false, false, false]
        );
    }
}
