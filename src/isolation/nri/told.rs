//! What the runtime tells, as far as it decides anything.

use super::pb;
use crate::model::isolation::container::{Container, Numbers};
use crate::model::isolation::pod::{Pod, Sandbox};
use crate::model::isolation::vni::ANNOTATION;

/// The limit of locked memory.
pub const MEMLOCK: &str = "RLIMIT_MEMLOCK";

/// `CONTAINER_STOPPED`.
const STOPPED: i32 = 4;

impl From<pb::PodSandbox> for Pod {
    fn from(mut pod: pb::PodSandbox) -> Self {
        let namespaces = pod.linux.unwrap_or_default().namespaces;
        let network = namespaces.into_iter().find(|namespace| namespace.r#type == "network");
        Self {
            sandbox: Sandbox {
                id: pod.id,
                namespace: pod.namespace,
                pod: pod.name,
            },
            netns: network.map(|namespace| namespace.path).filter(|path| !path.is_empty()),
            vni: pod.annotations.remove(ANNOTATION),
        }
    }
}

impl From<&pb::Container> for Container {
    fn from(container: &pb::Container) -> Self {
        let linux = container.linux.as_ref();
        let devices = linux.into_iter().flat_map(|linux| &linux.devices);
        // An unbuffered character device is one, too (mknod(1)).
        let characters = devices.filter(|device| matches!(device.r#type.as_str(), "c" | "u"));
        let numbers = characters.filter_map(|device| {
            Some(Numbers {
                major: device.major.try_into().ok()?,
                minor: device.minor.try_into().ok()?,
            })
        });
        let rules = linux.and_then(|linux| linux.resources.as_ref());
        let rules = rules.into_iter().flat_map(|resources| &resources.devices);
        let memlock = container.rlimits.iter().find(|limit| limit.r#type == MEMLOCK);
        Self {
            name: container.name.clone(),
            has_ended: container.state == STOPPED,
            devices: numbers.collect(),
            opens_all: rules.into_iter().any(allows_all),
            memlock: memlock.map(|limit| (limit.soft, limit.hard)),
            mounted: container.mounts.iter().map(|mount| mount.destination.clone()).collect(),
        }
    }
}

/// The rule of a privileged container.
fn allows_all(rule: &pb::LinuxDeviceCgroup) -> bool {
    let is_any = |number: &Option<pb::OptionalInt64>| number.as_ref().is_none_or(|number| number.value < 0);
    rule.allow
        && matches!(rule.r#type.as_str(), "" | "a" | "c")
        && is_any(&rule.major)
        && is_any(&rule.minor)
        && (rule.access.contains('w') || rule.access.is_empty())
}
