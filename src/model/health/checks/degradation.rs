//! Conditions of a NIC that works and may not do so for long: resources, errors and restarts that add up.

use super::services;
use crate::model::health::check_result::CheckResult;
use crate::model::health::history::NicHistory;
use crate::model::nic::attributes::{Function, PcieRate};
use crate::model::nic::inventory::Nic;

/// Link restarts within so many seconds that are too many, as `cxi_healthcheck` counts them.
const FLAPS: [(usize, u64, &str); 2] = [(5, 3_600, "1 h"), (10, 36_000, "10 h")];

/// Free RGIDs: each process that opens the NIC takes one.
pub(super) fn resources(nic: &Nic) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF's resources are those of its PF");
    }
    let free = match &nic.rgids_available {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(free) => *free,
    };
    let outcome = if free == 0 {
        CheckResult::bad("no RGID is free, so no further process can use the NIC")
    } else if let Some(used_up) = services::used_up(nic) {
        CheckResult::bad(used_up)
    } else if nic.services.is_err() {
        CheckResult::ok("RGIDs are free; limits of CXI services are not known")
    } else {
        CheckResult::ok("RGIDs are free, and no limit of the CXI service of pods is reached")
    };
    outcome.with_attribute(nic, "properties/rgids_avail", free)
}

/// Growth of the counters of uncorrectable errors. The driver's works without AER.
pub(super) fn pcie_errors(nic: &Nic, history: &NicHistory) -> CheckResult {
    let counters = [
        (
            "properties/pcie_uncorr_err",
            &nic.pcie_uncorrectable_errors,
            history.pcie_uncorrectable,
        ),
        ("aer_dev_fatal", &nic.aer_fatal_errors, history.aer_fatal),
    ];
    let counted = counters.iter().filter_map(|(attribute, count, start)| {
        let count = *count.as_ref().ok()?;
        Some((*attribute, count, (*start)?))
    });
    let counted: Vec<_> = counted.collect();
    let outcome = match (
        counted.iter().any(|(_, count, start)| count > start),
        counted.is_empty(),
    ) {
        (true, _) => CheckResult::bad("uncorrectable PCIe errors since the NIC was seen first"),
        (false, false) => CheckResult::ok("no uncorrectable PCIe errors since the NIC was seen first"),
        (false, true) => {
            return match &nic.pcie_uncorrectable_errors {
                Err(read_error) => CheckResult::unknown(read_error),
                Ok(_) => CheckResult::unknown("no earlier count to compare with"),
            };
        }
    };
    counted.into_iter().fold(outcome, |outcome, (attribute, count, start)| {
        outcome.with_attribute(nic, attribute, format!("{count}, at first {start}"))
    })
}

/// Automatic restarts of the fabric link.
pub(super) fn link_flaps(nic: &Nic, history: &NicHistory, unix_seconds: u64) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF's link is that of its PF");
    }
    let restarts = match &nic.link_restarts {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(restarts) => restarts.iter().copied().filter(|at| *at > 0),
    };
    // What was ahead of the clock once may be of any time.
    let (ahead, dated): (Vec<u64>, Vec<u64>) =
        restarts.partition(|at| *at > unix_seconds || history.restarts_ahead.contains(at));
    let within = |seconds: u64| {
        let since = unix_seconds.saturating_sub(seconds);
        dated.iter().filter(|at| **at >= since).count()
    };
    let too_many = FLAPS.iter().find(|(limit, seconds, _)| within(*seconds) >= *limit);
    let last = dated.iter().max();
    let outcome = match (too_many, last) {
        (Some((_, seconds, name)), _) => CheckResult::bad(format!(
            "the fabric link has restarted {} times in {name}",
            within(*seconds)
        )),
        (None, Some(_)) => CheckResult::ok("the fabric link has not restarted often"),
        (None, None) => CheckResult::ok("the fabric link has not restarted"),
    };
    let outcome = match last {
        Some(last) => outcome.with_attribute(nic, "link_restarts", format!("last at {last} s")),
        None => outcome,
    };
    match ahead.len() {
        0 => outcome,
        count => outcome.with_attribute(
            nic,
            "link_restarts",
            format!("{count} not counted, as they were ahead of the clock"),
        ),
    }
}

/// Speed and width against what the function could have.
pub(super) fn pcie_link(nic: &Nic) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF has no PCIe link of its own");
    }
    let link = match &nic.pcie_link {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(link) => link,
    };
    let PcieRate { mega_transfers, lanes } = link.max;
    let outcome = if link.current.mega_transfers < mega_transfers || link.current.lanes < lanes {
        CheckResult::bad("the PCIe link is slower or narrower than it could be")
    } else {
        CheckResult::ok("the PCIe link has full speed and width")
    };
    outcome
        .with_attribute(nic, "current_link_speed", speed(link.current))
        .with_attribute(nic, "current_link_width", link.current.lanes)
        .with_attribute(nic, "max_link_speed", speed(link.max))
        .with_attribute(nic, "max_link_width", lanes)
}

fn speed(rate: PcieRate) -> String {
    let tenths = rate.mega_transfers / 100;
    format!("{}.{} GT/s", tenths / 10, tenths % 10)
}
