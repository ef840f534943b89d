//! Conditions of a NIC that works and may not do so for long: resources, errors and restarts that add up.

use super::services;
use crate::model::health::across_nics::AcrossNics;
use crate::model::health::check_result::CheckResult;
use crate::model::health::condition::{Check, follows};
use crate::model::health::history::NicHistory;
use crate::model::nic::attributes::{Function, PcieRate};
use crate::model::nic::inventory::Nic;
use crate::model::services::admission::Asker;

/// Link restarts within so many seconds that are too many, as `cxi_healthcheck` counts them.
const FLAPS: [(usize, u64, &str); 2] = [(5, 3_600, "1 h"), (10, 36_000, "10 h")];

/// Free RGIDs: each process that opens the NIC takes one.
pub(super) fn resources(nic: &Nic, pod: Asker) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF's resources are those of its PF");
    }
    let free = match &nic.rgids_available {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(free) => *free,
    };
    let outcome = if free == 0 {
        CheckResult::bad("no RGID is free, so no further process can use the NIC")
    } else if let Some(used_up) = services::used_up(nic, pod) {
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
        (false, false) if counted.iter().any(|(_, _, start)| *start > 0) => {
            CheckResult::ok("no uncorrectable PCIe errors since the NIC was seen first, and some before that")
        }
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

/// Speed and width against what the function could have; where the kernel does not know that, against the NICs beside it.
pub(super) fn pcie_link(nic: &Nic, across_nics: &AcrossNics) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF has no PCIe link of its own");
    }
    let link = match &nic.pcie_link {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(link) => link,
    };
    let current = link.current;
    let is_below = |best: &PcieRate| current.mega_transfers < best.mega_transfers || current.lanes < best.lanes;
    let outcome = match (&link.max, across_nics.fastest_pcie(nic)) {
        (Ok(max), _) if is_below(max) => CheckResult::bad("the PCIe link is slower or narrower than it could be"),
        (Ok(_), _) => CheckResult::ok("the PCIe link has full speed and width"),
        (Err(_), Some(other)) if is_below(&other) => CheckResult::bad(format!(
            "the PCIe link is slower or narrower than that of a NIC beside it ({} x{})",
            speed(other),
            other.lanes
        )),
        (Err(_), Some(_)) => CheckResult::ok("the PCIe link is as fast and wide as those of the NICs beside it"),
        (Err(read_error), None) => return CheckResult::unknown(read_error),
    };
    let outcome = outcome
        .with_attribute(nic, "current_link_speed", speed(current))
        .with_attribute(nic, "current_link_width", current.lanes);
    match &link.max {
        Ok(max) => outcome
            .with_attribute(nic, "max_link_speed", speed(*max))
            .with_attribute(nic, "max_link_width", max.lanes),
        Err(read_error) => outcome.with_evidence(&read_error.path, &read_error.reason),
    }
}

/// The slowest that any attribute has of the fabric link, against what the card can do; of a card that is not known, against
/// the NICs beside it.
pub(super) fn link_speed(nic: &Nic, across_nics: &AcrossNics) -> CheckResult {
    if nic.function == Function::Virtual {
        return CheckResult::unknown("a VF's link is that of its PF");
    }
    if nic.link == Ok(false) {
        return CheckResult::unknown(follows(Check::Link, "a link that is down has no speed"));
    }
    let slowest = nic.reported_speeds.iter().min_by_key(|reported| reported.mbps);
    let Some(slowest) = slowest else {
        return CheckResult::unknown("no attribute has a speed of the fabric link");
    };
    let of_card = nic
        .generation
        .as_ref()
        .ok()
        .map(|generation| generation.full_speed_mbps());
    let (full, whose) = match (of_card, across_nics.fastest_fabric(nic)) {
        (Some(full), _) => (Some(full), "it could be"),
        (None, beside) => (beside, "that of a NIC beside it"),
    };
    let outcome = match full {
        Some(full) if slowest.mbps < full => CheckResult::bad(format!(
            "the fabric link is slower than {whose}: {} Gb/s of {}",
            slowest.mbps / 1000,
            full / 1000
        )),
        _ => CheckResult::ok("the fabric link has full speed"),
    };
    outcome.with_attribute(nic, &slowest.attribute, format!("{} Mb/s", slowest.mbps))
}

fn speed(rate: PcieRate) -> String {
    let tenths = rate.mega_transfers / 100;
    format!("{}.{} GT/s", tenths / 10, tenths % 10)
}
