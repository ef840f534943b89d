//! From the readings of a NIC to its conditions: a function for each check.

mod degradation;
mod required;
mod services;

use super::across_nics::AcrossNics;
use super::check_result::CheckResult;
use super::condition::{Check, Condition, follows};
use super::history::NicHistory;
use crate::model::nic::inventory::Nic;
use crate::model::services::admission::Asker;

/// What only a bound driver answers for.
const DRIVERS_OWN: [Check; 10] = [
    Check::Readable,
    Check::PciEnabled,
    Check::Link,
    Check::RetryHandler,
    Check::FabricAddress,
    Check::NetdevUp,
    Check::CxiService,
    Check::Resources,
    Check::LinkFlaps,
    Check::LinkSpeed,
];

/// Every condition of a NIC in the order of [`Check::OF_NIC`], before any policy: what is bad fails.
///
/// `across_nics` is what other NICs have in common with it, `history` what earlier looks have left, `unix_seconds` the time
/// of day, `pod` whom services are to admit.
pub(super) fn assess(
    nic: &Nic,
    across_nics: &AcrossNics,
    history: &NicHistory,
    unix_seconds: u64,
    pod: Asker,
) -> Vec<Condition> {
    let unbound = required::unbound(nic);
    let assessed = |check| {
        let outcome = match check {
            _ if unbound && DRIVERS_OWN.contains(&check) => {
                CheckResult::unknown(follows(Check::Present, "there is nothing without its driver"))
            }
            Check::Present => required::present(nic),
            Check::PciEnabled => required::pci_enabled(nic),
            Check::Readable => required::readable(nic),
            Check::Cordoned => required::cordoned(nic, history),
            Check::Link => required::link(nic),
            Check::RetryHandler => required::retry_handler(nic, history),
            Check::FabricAddress => required::fabric_address(nic, &across_nics.others(nic)),
            Check::NetdevUp => required::netdev_up(nic),
            Check::CxiService => services::cxi_service(nic, pod),
            Check::Resources => degradation::resources(nic, pod),
            Check::PcieErrors => degradation::pcie_errors(nic, history),
            Check::LinkFlaps => degradation::link_flaps(nic, history, unix_seconds),
            Check::PcieLink => degradation::pcie_link(nic, across_nics),
            Check::LinkSpeed => degradation::link_speed(nic, across_nics),
            Check::CdiFile | Check::DeviceLink => CheckResult::unknown("a matter of what is written"),
        };
        outcome.into_condition(check)
    };
    Check::OF_NIC.into_iter().map(assessed).collect()
}
