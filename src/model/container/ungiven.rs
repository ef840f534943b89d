//! What `explain --pid` says of NICs that a container holds and was not given, and the other way round.

use super::finding::ContainerFinding;
use super::given::{GivenFacts, HeldNode};
use super::verdict::{ContainerReport, NOT_GIVEN};
use crate::model::health::Verdict;
use crate::model::nic::pci::PciAddress;

impl ContainerReport {
    /// Adds what is known of what the container was given. `called` names a NIC of this node.
    pub fn compare(&mut self, facts: &GivenFacts, is_of_pod: bool, called: impl Fn(PciAddress) -> Option<String>) {
        self.findings.extend(findings(facts, is_of_pod, called));
    }
}

/// What there is to say of one container. One without the variable is nothing of kubelet's, unless it is in a pod.
fn findings(
    facts: &GivenFacts,
    is_of_pod: bool,
    called: impl Fn(PciAddress) -> Option<String>,
) -> Vec<ContainerFinding> {
    let Some(unfitting) = facts.unfitting().filter(|_| is_of_pod || facts.is_told()) else {
        return Vec::new();
    };
    let variable = &facts.variable;
    let named = |node: &HeldNode| {
        let nic = called(node.nic).unwrap_or_else(|| node.nic.to_string());
        format!("{} is the host's {nic}", node.path)
    };
    let nodes: Vec<String> = unfitting.not_given.iter().map(named).collect();
    let lacks = if facts.is_told() {
        format!("{variable} does not name it")
    } else {
        format!("the container has no {variable}")
    };
    let not_given = (!nodes.is_empty()).then(|| {
        let reason = format!("it has NICs that it was not given, as {lacks}: {}", nodes.join("; "));
        ContainerFinding::new(Verdict::Warn, NOT_GIVEN, reason)
    });
    // Those that are here are judged one by one.
    let gone = unfitting.lacking.iter().filter(|nic| called(**nic).is_none());
    let gone = gone.map(|nic| {
        let reason = format!("{variable} names {nic}, which this node does not have");
        ContainerFinding::new(Verdict::Warn, "given-and-gone", reason)
    });
    not_given.into_iter().chain(gone).collect()
}
