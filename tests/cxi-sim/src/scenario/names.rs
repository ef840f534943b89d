//! The names that a scenario gives its NICs, and the PCI addresses they have on this node. Pure.

use std::collections::BTreeMap;

use crate::kubelet::scenario::{Allocate, Await, Devices, Step, Want};

/// Name and PCI address of each NIC so far; a name stays with its address after the NIC has gone.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// This NIC was added here.
    pub fn learn(&mut self, name: &str, pci: String) {
        self.0.insert(name.to_owned(), pci);
    }

    /// The address of a NIC. A text that is no name stands for itself.
    pub fn address_of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// A map with addresses as keys.
    pub fn addresses_of<T: Clone>(&self, map: &BTreeMap<String, T>) -> BTreeMap<String, T> {
        map.iter()
            .map(|(name, value)| (self.address_of(name), value.clone()))
            .collect()
    }

    /// The step with addresses in the place of names.
    pub fn step(&self, step: &Step) -> Step {
        let all = |names: &[String]| names.iter().map(|name| self.address_of(name)).collect::<Vec<_>>();
        let devices = |devices: &Option<Devices>| {
            devices.as_ref().map(|devices| match devices {
                Devices::Count(count) => Devices::Count(*count),
                Devices::Ids(names) => Devices::Ids(all(names)),
            })
        };
        match step {
            Step::Await(wanted) => Step::Await(Await {
                healthy: devices(&wanted.healthy),
                unhealthy: devices(&wanted.unhealthy),
                numa: self.addresses_of(&wanted.numa),
                within: wanted.within,
            }),
            Step::Allocate(
                allocate @ Allocate {
                    want: Want::Containers(containers),
                    ..
                },
            ) => Step::Allocate(Allocate {
                want: Want::Containers(containers.iter().map(|names| all(names)).collect()),
                ..allocate.clone()
            }),
            other => other.clone(),
        }
    }

    /// A text with names in the place of addresses.
    pub fn put_into(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (name, pci)| text.replace(pci, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses_and_addresses_names() {
        let mut names = Names::default();
        names.learn("a", "0000:21:00.0".to_owned());
        let step = |text: &str| {
            let text = format!("resource: hpe.com/x\nsteps:\n  - {text}\n");
            let scenario: crate::kubelet::Scenario = serde_saphyr::from_str(&text).expect("parses");
            names.step(&scenario.steps[0]).to_string()
        };
        assert_eq!(
            step("await: {healthy: [a], unhealthy: [x], numa: {a: [1]}, within: 1s}"),
            "await healthy [0000:21:00.0], unhealthy [x], 0000:21:00.0 on NUMA [1] within 1s"
        );
        assert_eq!(
            step("allocate: {pod: p, containers: [[a]]}"),
            r#"allocate [["0000:21:00.0"]] for pod p"#
        );
        assert_eq!(names.put_into(r#"{"id":"0000:21:00.0"}"#), r#"{"id":"a"}"#);
    }
}
