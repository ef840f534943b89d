//! What we have made on one NIC, such that it is known after a crash: an entry is written before a service is made, and goes when
//! the service is gone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::lookalike;
use super::pod::Sandbox;
use crate::model::services::descriptor::Limit;
use crate::model::services::service::Service;

/// Of the file's form.
pub const SCHEMA: u32 = 1;

/// The ledger of one NIC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Its form.
    pub schema: u32,
    /// Of which life of the NIC: with another one, all services are gone.
    pub life: String,
    /// In the order in which they were begun.
    pub entries: Vec<Entry>,
}

/// One service for one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// For whom.
    pub sandbox: Sandbox,
    /// Inode of its network namespace.
    pub netns: u32,
    /// Where the runtime keeps that: when it is not there any more, the pod is gone.
    pub path: String,
    /// Its VNI.
    pub vni: u16,
    /// Who may share that VNI: a namespace, or all that have no range of their own.
    pub group: String,
    /// Its limits: those that it is made with, then those that the driver says it has.
    pub limits: [Limit; 8],
    /// How far it is.
    pub state: State,
}

/// How far a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum State {
    /// To be made. Those that looked like it before stay others'.
    Intended {
        /// Their numbers.
        before: BTreeSet<u32>,
    },
    /// Made, and not complete.
    Made {
        /// Its number.
        service: u32,
    },
    /// Complete.
    Ready {
        /// Its number.
        service: u32,
    },
    /// The pod is gone, or it could not be completed; it is to be destroyed.
    Ending {
        /// Its number.
        service: u32,
    },
    /// It is one of several that look alike: nobody can tell which, so none is touched.
    Unclear {
        /// Their numbers.
        candidates: BTreeSet<u32>,
    },
}

/// Whose an intended service is, after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was not made.
    Nothing,
    /// This one.
    Ours(u32),
    /// One of these, and nobody can tell which.
    OneOf(BTreeSet<u32>),
}

impl Entry {
    /// The number of the service, where it is known.
    pub fn service(&self) -> Option<u32> {
        match self.state {
            State::Made { service } | State::Ready { service } | State::Ending { service } => Some(service),
            State::Intended { .. } | State::Unclear { .. } => None,
        }
    }

    /// Whether a service may still be this entry's: numbers are used again.
    pub fn is_its(&self, service: &Service) -> bool {
        lookalike::is_like(service, self.vni, self.netns, &self.limits)
    }

    /// Which service an intended one has become: the one without a member that was not there before and is exactly so.
    pub fn find(&self, before: &BTreeSet<u32>, services: &[Service]) -> Found {
        let candidates: BTreeSet<u32> = services
            .iter()
            .filter(|service| !before.contains(&service.id()))
            .filter(|service| lookalike::is_memberless(service) && self.is_its(service))
            .map(Service::id)
            .collect();
        let mut each = candidates.iter();
        match (each.next(), each.next()) {
            (None, _) => Found::Nothing,
            (Some(service), None) => Found::Ours(*service),
            _ => Found::OneOf(candidates),
        }
    }
}

impl Ledger {
    /// An empty one.
    pub fn of_life(life: &str) -> Self {
        Self {
            schema: SCHEMA,
            life: life.to_owned(),
            entries: Vec::new(),
        }
    }

    /// The entry of a sandbox that lives: a service of an earlier attempt that is being ended is not its.
    pub fn entry(&self, sandbox: &str) -> Option<&Entry> {
        let its = |entry: &&Entry| entry.sandbox.id == sandbox && !matches!(entry.state, State::Ending { .. });
        self.entries.iter().find(its)
    }

    /// The entry that a service is of, if any is.
    pub fn owner(&self, service: &Service) -> Option<&Entry> {
        let named = |entry: &&Entry| entry.service() == Some(service.id()) && entry.is_its(service);
        self.entries.iter().find(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::services::descriptor::Descriptor;
    use crate::model::services::refused::Refused;
    use crate::model::services::service::Origin;

    fn entry(state: State) -> Entry {
        Entry {
            sandbox: Sandbox::default(),
            netns: 7,
            path: String::new(),
            vni: 1024,
            group: String::new(),
            limits: [Limit { max: 3, reserved: 0 }; 8],
            state,
        }
    }

    fn service(id: u32, change: impl FnOnce(&mut Service)) -> Service {
        let wanted = lookalike::wanted(1024, 7, entry(State::Made { service: id }).limits);
        let mut service = Service {
            descriptor: Descriptor {
                id,
                enabled: true,
                ..wanted.descriptor
            },
            origin: Origin::Command,
            vni_range: Ok(None),
            netns: Ok(None),
            exclusive_cp: Ok(None),
            lnis_per_rgid: Ok(1),
            usage: Err(Refused::Hangs(1)),
        };
        change(&mut service);
        service
    }

    #[test]
    fn after_a_crash_the_one_new_service_without_a_member_is_ours() {
        let intended = entry(State::Intended {
            before: BTreeSet::new(),
        });
        let before = BTreeSet::from([3]);
        assert_eq!(intended.find(&before, &[]), Found::Nothing);
        let (old, new) = (service(3, |_| {}), service(5, |_| {}));
        assert_eq!(intended.find(&before, std::slice::from_ref(&old)), Found::Nothing);
        assert_eq!(intended.find(&before, &[old.clone(), new.clone()]), Found::Ours(5));
        let another = service(9, |_| {});
        assert_eq!(
            intended.find(&before, &[old, new, another]),
            Found::OneOf(BTreeSet::from([5, 9]))
        );
    }

    #[test]
    fn a_service_that_differs_in_anything_is_somebody_elses() {
        type Change = fn(&mut Service);
        let changes: [Change; 10] = [
            |service| service.netns = Ok(Some(8)),
            |service| service.netns = Err(Refused::Hangs(1)),
            |service| service.descriptor.vnis = vec![1025],
            |service| service.descriptor.vnis.push(1025),
            |service| service.descriptor.limits[0].max = 4,
            |service| service.descriptor.limits[6].reserved = 1,
            |service| service.descriptor.resource_limits = false,
            |service| service.descriptor.restricted_members = false,
            |service| service.descriptor.system = true,
            |service| service.descriptor.restricted_tcs = true,
        ];
        let made = entry(State::Made { service: 5 });
        assert!(made.is_its(&service(5, |_| {})));
        assert!(made.is_its(&service(5, |service| service.netns = Ok(Some(7)))));
        for (number, change) in changes.into_iter().enumerate() {
            assert!(!made.is_its(&service(5, change)), "{number}");
        }
        // One with a member is no candidate after a crash, though it may be its in a later state.
        let none = BTreeSet::new();
        assert_eq!(
            made.find(&none, &[service(5, |service| service.netns = Ok(Some(7)))]),
            Found::Nothing
        );
    }
}
