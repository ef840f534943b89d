//! What follows from what: a condition whose cause is told already says nothing of its own.

use super::checks::assess;
use super::condition::{Check, Condition, Verdict};
use super::history::NicHistory;
use super::policy::HealthPolicy;
use super::shared_nids::SharedNids;
use crate::model::nic::inventory::Nic;

/// Effects with their causes. That nothing works without a driver is said by the checks themselves.
const CONSEQUENCES: [(Check, Check); 6] = [
    // It opens the device node.
    (Check::RetryHandler, Check::Present),
    // A function that is disabled, or does not answer, moves no data (`cass_disable_device`).
    (Check::Link, Check::PciEnabled),
    (Check::RetryHandler, Check::PciEnabled),
    (Check::NetdevUp, Check::PciEnabled),
    (Check::Resources, Check::PciEnabled),
    // The driver takes the carrier from the netdev (`cxi_eth.c`).
    (Check::NetdevUp, Check::Link),
];

/// Every condition of a NIC as this policy sees it; those that follow from one that is at least as bad are unknown.
pub fn judge(
    nic: &Nic,
    shared_nids: &SharedNids,
    history: &NicHistory,
    unix_seconds: u64,
    policy: &HealthPolicy,
) -> Vec<Condition> {
    let assessed = assess(nic, shared_nids, history, unix_seconds).into_iter();
    let mut conditions: Vec<Condition> = assessed.map(|condition| policy.apply(condition)).collect();
    let verdicts: Vec<(Check, Verdict)> = conditions
        .iter()
        .map(|condition| (condition.check, condition.verdict))
        .collect();
    for condition in conditions.iter_mut().filter(|condition| condition.verdict.is_bad()) {
        let causes = CONSEQUENCES.iter().filter(|(effect, _)| *effect == condition.check);
        let cause = causes.map(|(_, cause)| *cause).find(|cause| {
            let told = verdicts.iter().find(|(check, _)| check == cause);
            told.is_some_and(|(_, verdict)| *verdict >= condition.verdict) && is_cause(*cause, condition.check, nic)
        });
        if let Some(cause) = cause {
            condition.follow(cause);
        }
    }
    conditions
}

/// A netdev whose carrier cannot be read is administratively down: no link brings that up.
fn is_cause(cause: Check, effect: Check, nic: &Nic) -> bool {
    match (cause, effect, &nic.netdev) {
        (Check::Link, Check::NetdevUp, Ok(Some(netdev))) => netdev.carrier.is_ok(),
        (Check::Link, Check::NetdevUp, _) => false,
        _ => true,
    }
}
