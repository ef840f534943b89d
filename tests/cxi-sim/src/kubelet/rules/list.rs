//! Checks of a ListAndWatch message.

use super::{Rule, Violation, repeated};
use crate::kubelet::devices::{HEALTHY, UNHEALTHY};
use crate::kubelet::pb;

/// What kubelet's client receives at most in one message: gRPC-Go's default, which `client.go` does not change.
pub const MAX_MESSAGE: usize = 4 << 20;
/// The longest device ID by the comment in `api.proto`; no kubelet checks it yet.
pub const MAX_DEVICE_ID: usize = 63;

/// Whether kubelet could not even receive a message of that many bytes. It would end the stream.
pub fn size(bytes: usize) -> Option<Violation> {
    (bytes > MAX_MESSAGE).then(|| {
        Violation::new(
            Rule::MessageSize,
            format!("a message of {bytes} bytes, more than {MAX_MESSAGE}"),
        )
    })
}

/// Everything wrong inside one message.
pub fn message(list: &pb::ListAndWatchResponse) -> Vec<Violation> {
    let mut found: Vec<Violation> = list.devices.iter().flat_map(device).collect();
    for id in repeated(list.devices.iter().map(|device| device.id.as_str())) {
        found.push(Violation::new(
            Rule::DuplicateId,
            format!("device {id:?} is listed more than once"),
        ));
    }
    found.extend(mixed_topology(&list.devices));
    found
}

fn device(device: &pb::Device) -> Vec<Violation> {
    let id = &device.id;
    let mut found = Vec::new();
    if id.is_empty() || id.chars().count() > MAX_DEVICE_ID {
        found.push(Violation::new(
            Rule::DeviceId,
            format!("device ID {id:?} is empty or has more than {MAX_DEVICE_ID} characters"),
        ));
    }
    if device.health != HEALTHY && device.health != UNHEALTHY {
        found.push(Violation::new(
            Rule::HealthWord,
            format!("device {id:?} has health {:?}", device.health),
        ));
    }
    for node in device
        .topology
        .iter()
        .flat_map(|topology| &topology.nodes)
        .filter(|node| node.id < 0)
    {
        found.push(Violation::new(
            Rule::NumaNode,
            format!("device {id:?} is on NUMA node {}", node.id),
        ));
    }
    found
}

/// A device without topology can never satisfy an aligned NUMA mask once a device of its resource has some
/// (`topology_hints.go`).
fn mixed_topology(devices: &[pb::Device]) -> Option<Violation> {
    let has = |device: &&pb::Device| {
        device
            .topology
            .as_ref()
            .is_some_and(|topology| !topology.nodes.is_empty())
    };
    let with = devices.iter().find(has)?;
    let without = devices.iter().find(|device| !has(device))?;
    let text = format!("device {:?} has topology and device {:?} has none", with.id, without.id);
    Some(Violation::new(Rule::MixedTopology, text))
}

#[cfg(test)]
mod tests {
    use super::super::rules;
    use super::*;

    fn listed(id: &str, health: &str, numa: Option<i64>) -> pb::Device {
        let topology = numa.map(|id| pb::TopologyInfo {
            nodes: vec![pb::NumaNode { id }],
        });
        pb::Device {
            id: id.to_owned(),
            health: health.to_owned(),
            topology,
        }
    }

    fn found(devices: Vec<pb::Device>) -> Vec<Rule> {
        rules(&message(&pb::ListAndWatchResponse { devices }))
    }

    #[test]
    fn a_good_list_passes() {
        assert_eq!(found(vec![]), []);
        assert_eq!(
            found(vec![
                listed("a", HEALTHY, Some(0)),
                listed(&"b".repeat(63), UNHEALTHY, Some(1))
            ]),
            []
        );
    }

    #[test]
    fn bad_devices_are_found() {
        assert_eq!(found(vec![listed("", HEALTHY, None)]), [Rule::DeviceId]);
        assert_eq!(found(vec![listed(&"x".repeat(64), HEALTHY, None)]), [Rule::DeviceId]);
        assert_eq!(
            found(vec![listed("a", HEALTHY, None), listed("a", UNHEALTHY, None)]),
            [Rule::DuplicateId]
        );
        assert_eq!(found(vec![listed("a", "healthy", None)]), [Rule::HealthWord]);
        assert_eq!(found(vec![listed("a", HEALTHY, Some(-1))]), [Rule::NumaNode]);
        assert_eq!(
            found(vec![listed("a", HEALTHY, Some(0)), listed("b", HEALTHY, None)]),
            [Rule::MixedTopology]
        );
    }

    #[test]
    fn the_limit_of_a_message_is_grpc_gos() {
        assert_eq!(size(4 * 1024 * 1024), None);
        assert_eq!(
            size(4 * 1024 * 1024 + 1).map(|violation| violation.rule),
            Some(Rule::MessageSize)
        );
    }
}
