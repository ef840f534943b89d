//! From the NICs of a scan to their conditions as published: assessed with what is remembered, seen through the site's
//! policy, and held back for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::across_nics::AcrossNics;
use super::condition::{Condition, Held, is_healthy};
use super::consequence::judge;
use super::history::NicHistories;
use super::hold::{Hold, HoldTimes};
use super::policy::HealthPolicy;
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;

/// The time of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since a beginning of the caller's choosing. Never goes back.
    pub since_start: Duration,
    /// Time of day in Unix seconds.
    pub unix_seconds: u64,
}

/// The health of one NIC, as published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Every condition, with its reason.
    pub conditions: Vec<Condition>,
    /// Conditions that have changed and are not published yet.
    pub held: Vec<Held>,
}

impl Health {
    /// Whether none of the published conditions fails.
    pub fn is_healthy(&self) -> bool {
        is_healthy(&self.conditions)
    }
}

/// Judges NICs from scan to scan.
#[derive(Debug)]
pub struct Engine {
    policy: HealthPolicy,
    histories: NicHistories,
    /// The conditions of each NIC that is there.
    nics: BTreeMap<PciAddress, Vec<Hold>>,
}

impl Engine {
    /// With what is remembered from before.
    pub fn new(policy: HealthPolicy, histories: NicHistories) -> Self {
        Self {
            policy,
            histories,
            nics: BTreeMap::new(),
        }
    }

    /// From now on by this policy. What it makes of the NICs is published at once.
    pub fn set_policy(&mut self, policy: HealthPolicy) {
        if policy != self.policy {
            self.policy = policy;
            self.nics.clear();
        }
    }

    /// What is to be remembered.
    pub fn histories(&self) -> &NicHistories {
        &self.histories
    }

    /// The health of each of these NICs, which are all there are now. A NIC that is gone, and one whose driver was bound
    /// anew, begins anew: its first sight is published at once.
    pub fn judge(&mut self, nics: &[Nic], moment: Moment) -> BTreeMap<PciAddress, Health> {
        let times = self.times();
        let across_nics = AcrossNics::of(nics);
        let mut before = std::mem::take(&mut self.nics);
        for nic in nics {
            let history = self.histories.entry(nic.address).or_default();
            let driver_instance = history.driver_instance();
            history.note(nic, moment.unix_seconds);
            let seen = judge(nic, &across_nics, history, moment.unix_seconds, &self.policy).into_iter();
            let is_new_instance = history.driver_instance() != driver_instance;
            let holds = match before.remove(&nic.address).filter(|_| !is_new_instance) {
                None => seen.map(Hold::new).collect(),
                Some(mut holds) => {
                    for (hold, seen) in holds.iter_mut().zip(seen) {
                        hold.see(seen, times, moment.since_start);
                    }
                    holds
                }
            };
            self.nics.insert(nic.address, holds);
        }
        self.publish_due(moment.since_start);
        self.nics
            .iter()
            .map(|(address, holds)| (*address, health(holds, times)))
            .collect()
    }

    /// When held news is due next: then the NICs are to be judged again.
    pub fn due(&self) -> Option<Duration> {
        let holds = self.nics.values().flatten();
        holds.filter_map(|hold| hold.due(self.times())).min()
    }

    fn publish_due(&mut self, now: Duration) {
        if self.due().is_some_and(|due| due <= now) {
            let times = self.times();
            let holds = self.nics.values_mut().flatten();
            holds.for_each(|hold| hold.publish_with_others(times, now));
        }
    }

    fn times(&self) -> HoldTimes {
        HoldTimes {
            down: self.policy.hold_down,
            up: self.policy.hold_up,
        }
    }
}

fn health(holds: &[Hold], times: HoldTimes) -> Health {
    Health {
        conditions: holds.iter().map(|hold| hold.published().clone()).collect(),
        held: holds.iter().filter_map(|hold| hold.held(times)).collect(),
    }
}
