//! What kubelet's device manager knows of one resource: its devices and whether somebody serves them. Pure state.

use std::collections::BTreeMap;

use super::pb;

/// The one word that means healthy (`pkg/apis/deviceplugin/v1beta1/constants.go`); case matters.
pub const HEALTHY: &str = "Healthy";
/// The word for everything else. Kubelet itself takes any other word for it.
pub const UNHEALTHY: &str = "Unhealthy";

/// One device as kubelet holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The plugin's identifier, unique within the resource.
    pub id: String,
    /// The word the plugin sent, or `Unhealthy` once its endpoint has stopped.
    pub health: String,
    /// NUMA node IDs in ascending order; empty without topology.
    pub numa: Vec<i64>,
}

impl Device {
    /// Whether kubelet counts the device as allocatable.
    pub fn is_healthy(&self) -> bool {
        self.health == HEALTHY
    }
}

impl From<&pb::Device> for Device {
    fn from(device: &pb::Device) -> Device {
        let nodes = device.topology.iter().flat_map(|topology| &topology.nodes);
        let mut numa: Vec<i64> = nodes.map(|node| node.id).collect();
        numa.sort_unstable();
        Device {
            id: device.id.clone(),
            health: device.health.clone(),
            numa,
        }
    }
}

/// The devices of one resource (`healthyDevices`, `unhealthyDevices` and `allDevices` of `manager.go`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceTable {
    devices: BTreeMap<String, Device>,
}

impl DeviceTable {
    /// The table after one ListAndWatch message: it replaces everything that was there
    /// (`genericDeviceUpdateCallback`). Of equal IDs the last one stays.
    pub fn from_list(list: &pb::ListAndWatchResponse) -> DeviceTable {
        DeviceTable {
            devices: list
                .devices
                .iter()
                .map(|device| (device.id.clone(), device.into()))
                .collect(),
        }
    }

    /// `markResourceUnhealthy`: the devices stay listed, so that the capacity is kept.
    pub fn mark_unhealthy(&mut self) {
        for device in self.devices.values_mut() {
            device.health = UNHEALTHY.to_owned();
        }
    }

    /// All devices in the order of their IDs; their number is the node's capacity.
    pub fn all(&self) -> Vec<Device> {
        self.devices.values().cloned().collect()
    }

    /// The IDs kubelet may hand out; their number is the node's allocatable.
    pub fn healthy(&self) -> impl Iterator<Item = &str> {
        self.devices
            .values()
            .filter(|device| device.is_healthy())
            .map(|device| device.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(devices: &[(&str, &str)]) -> pb::ListAndWatchResponse {
        let device = |(id, health): &(&str, &str)| pb::Device {
            id: id.to_string(),
            health: health.to_string(),
            topology: None,
        };
        pb::ListAndWatchResponse {
            devices: devices.iter().map(device).collect(),
        }
    }

    #[test]
    fn only_the_exact_word_is_healthy() {
        let table = DeviceTable::from_list(&list(&[("a", "Healthy"), ("b", "healthy"), ("c", "Unhealthy")]));
        assert_eq!(table.all().len(), 3);
        assert_eq!(table.healthy().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_stopped_endpoint_keeps_capacity_but_nothing_is_allocatable() {
        let mut table = DeviceTable::from_list(&list(&[("a", "Healthy")]));
        table.mark_unhealthy();
        assert_eq!(table.all().len(), 1);
        assert_eq!(table.healthy().count(), 0);
    }
}
