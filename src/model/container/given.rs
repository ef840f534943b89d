//! What a container holds, against what kubelet's answer says it was given. Pure.
//!
//! The answer is in a variable of the container, which is the container's own to change: it accuses nobody. What the
//! container has in `/dev` it has.

use std::collections::BTreeSet;

use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// A device node of a NIC of this node, in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNode {
    /// Its path there.
    pub path: String,
    /// Whose it is, by its numbers.
    pub nic: PciAddress,
}

/// What is known of it.
#[derive(Debug, Clone)]
pub struct GivenFacts {
    /// The variable, such as `PCIDEVICE_BETA_HPE_COM_CXI`.
    pub variable: String,
    /// The NICs that it names; none where the container has no such variable.
    pub given: Reading<Option<BTreeSet<PciAddress>>>,
    /// Nodes of NICs in its `/dev`, one for each NIC.
    pub held: Reading<Vec<HeldNode>>,
}

/// A container of a pod, by one of its processes.
#[derive(Debug, Clone)]
pub struct PodContainer {
    /// The process.
    pub pid: u32,
    /// Its name by its own word.
    pub command: String,
    /// Where it is in the host's cgroups, which name the pod by its UID.
    pub cgroup: String,
    /// What it holds, and what it was given.
    pub given: GivenFacts,
}

/// All of them, as far as they could be looked at.
#[derive(Debug, Clone, Default)]
pub struct PodContainers {
    /// By rising process id.
    pub containers: Vec<PodContainer>,
    /// A look at these does not end.
    pub hanging: Vec<ReadError>,
    /// Why the first of those could not be looked at that could not.
    pub unseen: Option<ReadError>,
    /// Whether there were more than anybody waits for.
    pub is_cut: bool,
}

/// What does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfitting {
    /// Nodes of NICs that the variable does not name, or all of them where there is no such variable.
    pub not_given: Vec<HeldNode>,
    /// NICs that it names and the container has no node of.
    pub lacking: Vec<PciAddress>,
}

impl GivenFacts {
    /// Compares the two; none if either could not be read.
    pub fn unfitting(&self) -> Option<Unfitting> {
        let (given, held) = (self.given.as_ref().ok()?, self.held.as_ref().ok()?);
        let is_given = |nic: PciAddress| given.as_ref().is_some_and(|given| given.contains(&nic));
        let is_held = |nic: PciAddress| held.iter().any(|node| node.nic == nic);
        let lacking = given.iter().flatten().copied().filter(|nic| !is_held(*nic));
        Some(Unfitting {
            not_given: held.iter().filter(|node| !is_given(node.nic)).cloned().collect(),
            lacking: lacking.collect(),
        })
    }

    /// Whether kubelet has given it anything of ours, by its own word.
    pub fn is_told(&self) -> bool {
        matches!(&self.given, Ok(Some(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic(bus: u8) -> PciAddress {
        format!("0000:{bus:02x}:00.0").parse().unwrap()
    }

    /// Whatever the sets are: held and given fall apart into what fits, what was not given, and what is lacking.
    #[test]
    fn what_does_not_fit_is_the_difference_of_two_sets() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        for case in 0..1000 {
            let some = |rng: &mut fastrand::Rng| (0..5).map(nic).filter(|_| rng.bool()).collect::<BTreeSet<_>>();
            let (given, held) = (some(&mut rng), some(&mut rng));
            let is_told = rng.bool();
            let node = |nic: &PciAddress| HeldNode {
                path: format!("/dev/cxi{nic}"),
                nic: *nic,
            };
            let facts = GivenFacts {
                variable: "PCIDEVICE_X".to_owned(),
                given: Ok(is_told.then(|| given.clone())),
                held: Ok(held.iter().map(node).collect()),
            };
            let given = if is_told { given } else { BTreeSet::new() };
            let unfitting = facts.unfitting().unwrap();
            let not_given: BTreeSet<_> = unfitting.not_given.iter().map(|node| node.nic).collect();
            assert_eq!(not_given, &held - &given, "seed {seed}, case {case}");
            let lacking: BTreeSet<_> = unfitting.lacking.iter().copied().collect();
            assert_eq!(lacking, &given - &held, "seed {seed}, case {case}");
            assert_eq!(facts.is_told(), is_told);
        }
    }
}
