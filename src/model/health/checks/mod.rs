//! From the readings of a NIC to its conditions: a function for each check.

mod degradation;
mod required;

use super::check_result::CheckResult;
use super::condition::{Check, Condition};
use super::history::NicHistory;
use crate::model::nic::inventory::Nic;

/// Every condition of a NIC in the order of [`Check::OF_NIC`], before any policy: what is bad fails.
///
/// `history` is what earlier looks have left, `unix_seconds` the time of day.
pub fn assess(nic: &Nic, history: &NicHistory, unix_seconds: u64) -> Vec<Condition> {
    let assessed = |check| {
        let outcome = match check {
            Check::Present => required::present(nic),
            Check::PciEnabled => required::pci_enabled(nic),
            Check::Cordoned => required::cordoned(nic),
            Check::Link => required::link(nic),
            Check::RetryHandler => required::retry_handler(nic, history),
            Check::FabricAddress => required::fabric_address(nic),
            Check::NetdevUp => required::netdev_up(nic),
            Check::CxiService => CheckResult::unknown("needs a command on /dev/cxiN, which this version does not send"),
            Check::Resources => degradation::resources(nic),
            Check::PcieErrors => degradation::pcie_errors(nic, history),
            Check::LinkFlaps => degradation::link_flaps(nic, unix_seconds),
            Check::PcieLink => degradation::pcie_link(nic),
            Check::CdiFile => CheckResult::unknown("a matter of what is written"),
        };
        outcome.into_condition(check)
    };
    Check::OF_NIC.into_iter().map(assessed).collect()
}
