//! Who holds which device: kubelet's `podDevices` (`pod_devices.go`), which outlives kubelet in its checkpoint. Pure state.

use std::collections::{BTreeMap, BTreeSet};

/// Device IDs of a pod by resource.
pub type Held = BTreeMap<String, BTreeSet<String>>;

/// Device IDs by pod and resource.
#[derive(Debug, Clone, Default)]
pub struct PodDevices {
    held: BTreeMap<String, Held>,
}

impl PodDevices {
    /// Notes that a pod now holds these devices.
    pub fn insert(&mut self, pod: &str, resource: &str, ids: impl IntoIterator<Item = String>) {
        let resources = self.held.entry(pod.to_owned()).or_default();
        resources.entry(resource.to_owned()).or_default().extend(ids);
    }

    /// Frees everything of a pod; false if it held nothing.
    pub fn release(&mut self, pod: &str) -> bool {
        self.held.remove(pod).is_some()
    }

    /// Every pod that holds something, by name.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Held)> {
        self.held.iter()
    }

    /// The IDs of a resource that some pod holds.
    pub fn in_use(&self, resource: &str) -> BTreeSet<&str> {
        self.held
            .values()
            .filter_map(|pod| pod.get(resource))
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_free_again_after_the_release_of_their_pod() {
        let mut pods = PodDevices::default();
        pods.insert("a", "hpe.com/x", ["1".to_owned()]);
        pods.insert("a", "hpe.com/x", ["2".to_owned()]);
        assert_eq!(pods.in_use("hpe.com/x").into_iter().collect::<Vec<_>>(), ["1", "2"]);
        assert!(pods.in_use("hpe.com/y").is_empty());
        assert!(pods.release("a"));
        assert!(!pods.release("a"));
        assert!(pods.in_use("hpe.com/x").is_empty());
    }
}
