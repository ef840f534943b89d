//! What follows from what: a condition whose cause is told already says nothing of its own.

use super::across_nics::AcrossNics;
use super::checks::assess;
use super::condition::{Check, Condition, Verdict};
use super::history::NicHistory;
use super::policy::HealthPolicy;
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

/// Every condition of a NIC as this policy sees it. What follows from a fault is unknown, whatever the policy makes of the
/// fault: a site that does not mind the cause does not mind what comes of it.
pub fn judge(
    nic: &Nic,
    across_nics: &AcrossNics,
    history: &NicHistory,
    unix_seconds: u64,
    policy: &HealthPolicy,
) -> Vec<Condition> {
    let mut conditions = assess(nic, across_nics, history, unix_seconds, policy.pod);
    let faults = conditions.iter().filter(|condition| condition.verdict == Verdict::Fail);
    let faults: Vec<Check> = faults.map(|condition| condition.check).collect();
    for condition in conditions.iter_mut().filter(|condition| condition.verdict.is_bad()) {
        let cause = CONSEQUENCES.iter().find(|(effect, cause)| {
            *effect == condition.check && faults.contains(cause) && is_cause(*cause, condition.check, nic)
        });
        if let Some((_, cause)) = cause {
            condition.follow(*cause);
        }
    }
    conditions
        .into_iter()
        .map(|condition| policy.apply(condition))
        .collect()
}

/// A netdev whose carrier cannot be read is administratively down: no link brings that up.
fn is_cause(cause: Check, effect: Check, nic: &Nic) -> bool {
    match (cause, effect, &nic.netdev) {
        (Check::Link, Check::NetdevUp, Ok(Some(netdev))) => netdev.carrier.is_ok(),
        (Check::Link, Check::NetdevUp, _) => false,
        _ => true,
    }
}
