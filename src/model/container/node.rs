//! Whether a process can use a device node of its container.

use super::facts::{Identity, NodeInContainer};

/// What is wrong with a device node, with its kind.
pub(super) fn node_fault(
    node: &NodeInContainer,
    host: Option<(u64, u64)>,
    who: &Identity,
) -> Option<(&'static str, String)> {
    let (major, minor) = node.numbers;
    if !node.is_char_device {
        let reason = "what stands at its place in /dev is no character device";
        return Some(("stale-node", reason.to_owned()));
    }
    if let Some(host) = host.filter(|host| *host != node.numbers) {
        let reason = format!(
            "the container's node is {major}:{minor}, the host's is {}:{} by now",
            host.0, host.1
        );
        return Some(("stale-node", reason));
    }
    if node.nodev {
        let reason = "its node is on a mount with the option nodev, so it cannot be opened";
        return Some(("nodev", reason.to_owned()));
    }
    if !who.may(node.mode, node.owner, 0o6) {
        let reason = format!(
            "its node has mode {:04o} and owner {}:{}, the process is user {}",
            node.mode, node.owner.0, node.owner.1, who.uid
        );
        return Some(("mode", reason));
    }
    let reason = format!("the container's device cgroup does not allow c {major}:{minor} rw");
    (node.cgroup_allows == Some(false)).then_some(("cgroup", reason))
}
