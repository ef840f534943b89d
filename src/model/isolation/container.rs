//! Which NICs a container has. Only what the runtime itself has written down counts: the device nodes by their numbers. What a
//! pod's author can write, such as the environment, decides nothing.

use std::collections::BTreeSet;

use crate::model::nic::attributes::CxiName;
use crate::model::nic::pci::PciAddress;

/// Numbers of a character device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbers {
    /// Of the driver.
    pub major: u64,
    /// Of the device.
    pub minor: u64,
}

/// A NIC as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicNow {
    /// Which.
    pub address: PciAddress,
    /// Kernel name.
    pub cxi: CxiName,
    /// Its device node's numbers, by the driver's word.
    pub numbers: Numbers,
    /// Whether services can be made on it: not on a virtual function.
    pub is_physical: bool,
    /// Its life: another one after each probe of the driver, which ends all services.
    pub life: String,
    /// Its directory below sysfs, for those who shall see its network interface; none where the host does not see one, as it may be
    /// a pod's own.
    pub directory: Option<std::path::PathBuf>,
}

/// `RLIM_INFINITY`.
pub const UNLIMITED: u64 = u64::MAX;

/// A container that is being made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// It will not run any more.
    pub has_ended: bool,
    /// Its character devices.
    pub devices: Vec<Numbers>,
    /// Its device cgroup lets it open every device: it is privileged.
    pub opens_all: bool,
    /// Its limit of locked memory, where it was given one: soft and hard.
    pub memlock: Option<(u64, u64)>,
    /// Where it has mounts.
    pub mounted: BTreeSet<String>,
}

/// Nodes that only a privileged container is given: the machine's memory, its ports, and the kernel's log.
const OF_PRIVILEGED: [Numbers; 3] = [
    Numbers { major: 1, minor: 1 },
    Numbers { major: 1, minor: 4 },
    Numbers { major: 1, minor: 11 },
];

/// Which NICs a container has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// None.
    Nothing,
    /// These.
    Nics(Vec<NicNow>),
    /// It has the nodes of all devices: that says nothing of what it was given.
    Privileged,
}

impl Container {
    /// Its NICs among those of the node.
    pub fn claim(&self, nics: &[NicNow]) -> Claim {
        let its: Vec<NicNow> = nics
            .iter()
            .filter(|nic| self.devices.contains(&nic.numbers))
            .cloned()
            .collect();
        if its.is_empty() {
            return Claim::Nothing;
        }
        let is_privileged = self.opens_all || OF_PRIVILEGED.iter().any(|node| self.devices.contains(node));
        if is_privileged {
            Claim::Privileged
        } else {
            Claim::Nics(its)
        }
    }

    /// Whether its locked memory is limited. Without a word of it, it has the runtime's own limit.
    pub fn is_memlock_limited(&self) -> bool {
        self.memlock != Some((UNLIMITED, UNLIMITED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic(address: &str, minor: u64) -> NicNow {
        NicNow {
            address: address.parse().unwrap(),
            cxi: CxiName(u32::try_from(minor).unwrap()),
            numbers: Numbers { major: 240, minor },
            is_physical: true,
            life: String::new(),
            directory: None,
        }
    }

    fn container(devices: &[(u64, u64)]) -> Container {
        Container {
            devices: devices
                .iter()
                .map(|(major, minor)| Numbers {
                    major: *major,
                    minor: *minor,
                })
                .collect(),
            ..Container::default()
        }
    }

    #[test]
    fn numbers_decide_and_nothing_else() {
        let nics = [nic("0000:21:00.0", 0), nic("0000:61:00.0", 1)];
        assert_eq!(container(&[]).claim(&nics), Claim::Nothing);
        assert_eq!(container(&[(240, 2), (1, 3)]).claim(&nics), Claim::Nothing);
        assert_eq!(
            container(&[(1, 3), (240, 1)]).claim(&nics),
            Claim::Nics(vec![nics[1].clone()])
        );
        assert_eq!(
            container(&[(240, 1), (240, 0)]).claim(&nics),
            Claim::Nics(nics.to_vec())
        );
    }

    #[test]
    fn what_has_all_nodes_was_not_given_them() {
        let nics = [nic("0000:21:00.0", 0), nic("0000:61:00.0", 1)];
        let mut all = container(&[(240, 0), (240, 1), (1, 11)]);
        assert_eq!(all.claim(&nics), Claim::Privileged);
        all.devices.pop();
        assert!(matches!(all.claim(&nics), Claim::Nics(_)));
        all.opens_all = true;
        assert_eq!(all.claim(&nics), Claim::Privileged);
        // Privileged and without a NIC's node is none of our business.
        all.devices.clear();
        assert_eq!(all.claim(&nics), Claim::Nothing);
    }

    #[test]
    fn only_both_limits_together_are_no_limit() {
        let mut limited = Container::default();
        assert!(limited.is_memlock_limited());
        limited.memlock = Some((65536, UNLIMITED));
        assert!(limited.is_memlock_limited());
        limited.memlock = Some((UNLIMITED, UNLIMITED));
        assert!(!limited.is_memlock_limited());
    }
}
