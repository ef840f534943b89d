//! Who holds what, and where that cannot be right. Pure.
//!
//! A NIC is for one pod. Within a pod it goes from one container to the next: an init container ends before others begin,
//! so kubelet gives them the same devices. And pods that share a claim share its NICs because somebody wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::listed::{ListedContainer, ListedPod, PodName, Word};
use crate::model::alloc::resource::ResourceName;
use crate::model::cdi::KIND;
use crate::model::nic::pci::PciAddress;

/// A pod that holds a NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Which pod.
    #[serde(flatten)]
    pub name: PodName,
    /// Its containers that hold the NIC.
    pub containers: BTreeSet<String>,
    /// Claims by which it does; none where it is a device of the device plugin.
    pub claims: BTreeSet<String>,
    /// Whether kubelet has said of this very pod that it is there and holds the NIC; only asked where pods contradict each
    /// other.
    pub confirmed: bool,
}

impl fmt::Display for Holder {
    /// As `NAMESPACE/POD/CONTAINER`, with a `+` between containers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let containers: Vec<&str> = self.containers.iter().map(String::as_str).collect();
        write!(f, "{}/{}", self.name, containers.join("+"))
    }
}

/// One NIC, more than one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict<'a> {
    /// The NIC.
    pub nic: PciAddress,
    /// Its pods.
    pub holders: &'a [Holder],
    /// Whether at least two of them are there for certain. A kubelet before 1.34 cannot be asked, and may list finished pods.
    pub is_certain: bool,
}

/// Who holds what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    nics: BTreeMap<PciAddress, Vec<Holder>>,
    strange: BTreeSet<String>,
}

impl Holdings {
    /// By kubelet's list: devices of our resource, and NICs that a claim names by their addresses.
    pub fn new(pods: &[ListedPod], resource: &ResourceName) -> Self {
        let mut holdings = Self::default();
        let resource = resource.to_string();
        for pod in pods {
            for container in &pod.containers {
                for (id, claim) in held(container, &resource) {
                    match id.parse() {
                        Ok(nic) => holdings.note(nic, &pod.name, &container.name, claim),
                        Err(_) => drop(holdings.strange.insert(id.to_owned())),
                    }
                }
            }
        }
        holdings
    }

    fn note(&mut self, nic: PciAddress, pod: &PodName, container: &str, claim: Option<&str>) {
        let holders = self.nics.entry(nic).or_default();
        let at = holders
            .binary_search_by(|holder| holder.name.cmp(pod))
            .unwrap_or_else(|at| {
                let holder = Holder {
                    name: pod.clone(),
                    containers: BTreeSet::new(),
                    claims: BTreeSet::new(),
                    confirmed: false,
                };
                holders.insert(at, holder);
                at
            });
        if let Some(holder) = holders.get_mut(at) {
            holder.containers.insert(container.to_owned());
            holder.claims.extend(claim.map(str::to_owned));
        }
    }

    /// The pods that hold this NIC, by name.
    pub fn of(&self, nic: PciAddress) -> &[Holder] {
        self.nics.get(&nic).map_or(&[], Vec::as_slice)
    }

    /// Every NIC that a pod holds, with its pods.
    pub fn iter(&self) -> impl Iterator<Item = (PciAddress, &[Holder])> {
        self.nics.iter().map(|(nic, holders)| (*nic, holders.as_slice()))
    }

    /// Devices of our resource that are no NIC's address.
    pub fn strange(&self) -> impl Iterator<Item = &str> {
        self.strange.iter().map(String::as_str)
    }

    /// NICs that more than one pod holds, without a claim that all of them share.
    pub fn conflicts(&self) -> Vec<Conflict<'_>> {
        let contested = self.iter().filter(|(_, holders)| is_contested(holders));
        contested
            .map(|(nic, holders)| Conflict {
                nic,
                holders,
                is_certain: holders.iter().filter(|holder| holder.confirmed).count() > 1,
            })
            .collect()
    }

    /// The pods of all conflicts, which kubelet should be asked for by name.
    pub fn contestants(&self) -> BTreeSet<PodName> {
        let conflicts = self.conflicts().into_iter();
        conflicts
            .flat_map(|conflict| conflict.holders.iter().map(|holder| holder.name.clone()))
            .collect()
    }

    /// Takes kubelet's word on a pod of the list: what it does not hold any more is not its own.
    pub fn settle(&mut self, pod: &PodName, word: &Word) {
        for (nic, holders) in &mut self.nics {
            holders.retain_mut(|holder| {
                if holder.name != *pod {
                    return true;
                }
                match word {
                    Word::Holds(nics) if nics.contains(nic) => holder.confirmed = true,
                    Word::Unsaid => {}
                    Word::Holds(_) | Word::Gone => return false,
                }
                true
            });
        }
        self.nics.retain(|_, holders| !holders.is_empty());
    }

    /// The one pod with a container that has exactly these NICs; none if several have, or none has.
    pub fn pod_with(&self, nics: &BTreeSet<PciAddress>) -> Option<&PodName> {
        let first = nics.first()?;
        let mut fitting = self.of(*first).iter().filter(|holder| {
            let mut containers = holder.containers.iter();
            containers.any(|container| self.nics_of(&holder.name, container) == *nics)
        });
        let only = fitting.next()?;
        fitting.next().is_none().then_some(&only.name)
    }

    fn nics_of(&self, pod: &PodName, container: &str) -> BTreeSet<PciAddress> {
        let has = |holder: &Holder| holder.name == *pod && holder.containers.contains(container);
        let held = self.iter().filter(|(_, holders)| holders.iter().any(has));
        held.map(|(nic, _)| nic).collect()
    }
}

/// Device IDs of ours in a container, and the claim that each came by.
fn held<'a>(container: &'a ListedContainer, resource: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let ours = container.devices.iter().filter(|(name, _)| name == resource);
    let devices = ours.flat_map(|(_, ids)| ids.iter().map(|id| (id.as_str(), None)));
    let claimed = container.claims.iter().flat_map(|(claim, names)| {
        let nics = names
            .iter()
            .filter_map(|name| name.strip_prefix(KIND)?.strip_prefix('='));
        nics.map(move |nic| (nic, Some(claim.as_str())))
    });
    devices.chain(claimed).collect()
}

fn is_contested(holders: &[Holder]) -> bool {
    let [first, others @ ..] = holders else { return false };
    let is_shared = |claim: &String| others.iter().all(|holder| holder.claims.contains(claim));
    !others.is_empty() && !first.claims.iter().any(is_shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOURCE: &str = "beta.hpe.com/cxi";

    fn nic(bus: u8) -> PciAddress {
        format!("0000:{bus:02x}:00.0").parse().unwrap()
    }

    fn name(pod: &str) -> PodName {
        PodName {
            namespace: "hpc".to_owned(),
            pod: pod.to_owned(),
        }
    }

    fn pod(pod: &str, containers: &[(&str, &[&str])]) -> ListedPod {
        let container = |(name, ids): &(&str, &[&str])| ListedContainer {
            name: (*name).to_owned(),
            devices: ids
                .iter()
                .map(|id| (RESOURCE.to_owned(), vec![(*id).to_owned()]))
                .collect(),
            claims: Vec::new(),
        };
        ListedPod {
            name: name(pod),
            containers: containers.iter().map(container).collect(),
        }
    }

    fn holdings(pods: &[ListedPod]) -> Holdings {
        Holdings::new(pods, &RESOURCE.parse().unwrap())
    }

    #[test]
    fn an_init_container_hands_on_to_the_main_one() {
        let pods = [pod(
            "mpi",
            &[
                ("prepare", &["0000:21:00.0"]),
                ("main", &["0000:21:00.0", "0000:61:00.0"]),
            ],
        )];
        let holdings = holdings(&pods);
        assert_eq!(holdings.of(nic(0x21)).len(), 1);
        assert_eq!(holdings.of(nic(0x21))[0].containers.len(), 2);
        assert!(holdings.conflicts().is_empty());
        let both = [nic(0x21), nic(0x61)].into();
        assert_eq!(holdings.pod_with(&both), Some(&name("mpi")));
        assert_eq!(holdings.pod_with(&[nic(0x21)].into()), Some(&name("mpi")));
        assert_eq!(holdings.pod_with(&[nic(0x61)].into()), None);
    }

    #[test]
    fn two_pods_are_a_conflict_as_certain_as_kubelets_word() {
        let one = ("main", &["0000:21:00.0"][..]);
        let mut holdings = holdings(&[pod("b", &[one]), pod("a", &[one]), pod("c", &[("main", &["gpu-0"])])]);
        assert_eq!(holdings.strange().collect::<Vec<_>>(), ["gpu-0"]);
        assert_eq!(holdings.contestants(), [name("a"), name("b")].into());
        assert_eq!(holdings.pod_with(&[nic(0x21)].into()), None);
        let certainties = |holdings: &Holdings| {
            let conflicts = holdings.conflicts();
            conflicts.iter().map(|conflict| conflict.is_certain).collect::<Vec<_>>()
        };
        assert_eq!(certainties(&holdings), [false]);
        holdings.settle(&name("a"), &Word::Holds(vec![nic(0x21)]));
        holdings.settle(&name("b"), &Word::Unsaid);
        assert_eq!(certainties(&holdings), [false]);
        holdings.settle(&name("b"), &Word::Holds(vec![nic(0x21)]));
        assert_eq!(certainties(&holdings), [true]);
        holdings.settle(&name("b"), &Word::Gone);
        assert!(holdings.conflicts().is_empty());
        holdings.settle(&name("a"), &Word::Holds(Vec::new()));
        assert!(holdings.of(nic(0x21)).is_empty());
    }

    #[test]
    fn a_claim_may_be_shared_and_another_one_may_not() {
        let claimed = |pod: &str, claim: &str, cdi: &str| ListedPod {
            name: name(pod),
            containers: vec![ListedContainer {
                name: "main".to_owned(),
                devices: Vec::new(),
                claims: vec![(claim.to_owned(), vec![cdi.to_owned(), "nvidia.com/gpu=0".to_owned()])],
            }],
        };
        const A: &str = "hpe.com/cxi=0000:21:00.0";
        let shared = holdings(&[claimed("a", "hpc/x", A), claimed("b", "hpc/x", A)]);
        assert_eq!(shared.of(nic(0x21)).len(), 2);
        assert!(shared.conflicts().is_empty());
        let two = holdings(&[claimed("a", "hpc/x", A), claimed("b", "hpc/y", A)]);
        assert_eq!(two.conflicts().len(), 1);
        let by_plugin = pod("c", &[("main", &["0000:21:00.0"])]);
        assert_eq!(holdings(&[claimed("a", "hpc/x", A), by_plugin]).conflicts().len(), 1);
        let moving = holdings(&[claimed("a", "hpc/x", "hpe.com/cxi=cxi0")]);
        assert_eq!(moving.strange().collect::<Vec<_>>(), ["cxi0"]);
    }

    /// Any list: nothing is lost or made up, order does not matter, a conflict is two pods, and words only ever take away.
    #[test]
    fn holdings_are_those_of_the_list_whatever_its_order() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        for case in 0..500 {
            let what = format!("seed {seed}, case {case}");
            let resources = [RESOURCE, "other.com/cxi"];
            let mut pods: Vec<ListedPod> = (0..rng.usize(0..6))
                .map(|_| ListedPod {
                    name: name(["a", "b", "c"][rng.usize(0..3)]),
                    containers: (0..rng.usize(0..4))
                        .map(|container| ListedContainer {
                            name: container.to_string(),
                            devices: (0..rng.usize(0..4))
                                .map(|_| {
                                    let resource = resources[rng.usize(0..2)].to_owned();
                                    let ids = (0..rng.usize(0..3)).map(|_| nic(rng.u8(0..4)).to_string());
                                    (resource, ids.collect())
                                })
                                .collect(),
                            claims: Vec::new(),
                        })
                        .collect(),
                })
                .collect();
            let one = holdings(&pods);
            let wanted: BTreeSet<(String, PodName, String)> = pods
                .iter()
                .flat_map(|pod| pod.containers.iter().map(move |container| (pod, container)))
                .flat_map(|(pod, container)| {
                    let ours = container.devices.iter().filter(|(resource, _)| resource == RESOURCE);
                    ours.flat_map(|(_, ids)| ids).map(move |id| {
                        let (pod, container) = (pod.name.clone(), container.name.clone());
                        (id.clone(), pod, container)
                    })
                })
                .collect();
            let found: BTreeSet<(String, PodName, String)> = one
                .iter()
                .flat_map(|(nic, holders)| holders.iter().map(move |holder| (nic, holder)))
                .flat_map(|(nic, holder)| {
                    let containers = holder.containers.iter();
                    containers.map(move |container| (nic.to_string(), holder.name.clone(), container.clone()))
                })
                .collect();
            assert_eq!(found, wanted, "{what}");
            rng.shuffle(&mut pods);
            assert_eq!(holdings(&pods), one, "{what}");
            for (nic, holders) in one.iter() {
                let is_named = one.conflicts().iter().any(|conflict| conflict.nic == nic);
                assert_eq!(is_named, holders.len() > 1, "{what}");
            }
            let mut settled = one.clone();
            for pod in one.contestants() {
                let word = match rng.u8(0..3) {
                    0 => Word::Gone,
                    1 => Word::Unsaid,
                    _ => Word::Holds((0..4).map(nic).filter(|_| rng.bool()).collect()),
                };
                settled.settle(&pod, &word);
            }
            for (nic, holders) in settled.iter() {
                assert!(!holders.is_empty(), "{what}");
                for holder in holders {
                    assert!(one.of(nic).iter().any(|old| old.name == holder.name), "{what}");
                }
            }
        }
    }
}
