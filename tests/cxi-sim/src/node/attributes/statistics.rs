//! Counters and masks of a PF: `link_restarts/` (cass_sysfs.c), `err_flgs_irqa/` (cass_errors.c), `traffic_classes/`
//! (cass_tc.c) and `telemetry/` (cass_telem.c).

use std::borrow::Cow;

use super::super::state::NicState;
use super::{Attribute, File, files, fixed};

/// The last ten automatic link restarts, in Unix seconds; 0 is an unused entry.
const LINK_RESTARTS: [Attribute; 10] = [
    fixed("time_0", "0\n"),
    fixed("time_1", "0\n"),
    fixed("time_2", "0\n"),
    fixed("time_3", "0\n"),
    fixed("time_4", "0\n"),
    fixed("time_5", "0\n"),
    fixed("time_6", "0\n"),
    fixed("time_7", "0\n"),
    fixed("time_8", "0\n"),
    fixed("time_9", "0\n"),
];

/// Some of the chip's blocks, each with three bit maps.
const ERROR_BLOCKS: [&str; 5] = ["atu", "cq", "hni", "pct", "pi"];
const ERROR_FILES: [(&str, u32, &str); 3] = [
    ("mask", 0o444, "00000000,00000001\n"),
    ("no_auto_mask", 0o644, "00000000,00000000\n"),
    ("no_print_mask", 0o644, "00000000,00000000\n"),
];

/// The profile LL_BE_BD_ET, the module's default. Bandwidths in percent.
const TRAFFIC_CLASSES: [Attribute; 10] = [
    fixed("active_qos_profile", "LL_BE_BD_ET\n"),
    fixed("best_effort/assured_bw", "15\n").mode(0o644),
    fixed("best_effort/ceiling_bw", "100\n").mode(0o644),
    fixed("bulk_data/assured_bw", "15\n").mode(0o644),
    fixed("bulk_data/ceiling_bw", "100\n").mode(0o644),
    fixed("ethernet/ethernet_shared/assured_bw", "15\n").mode(0o644),
    fixed("ethernet/ethernet_shared/ceiling_bw", "100\n").mode(0o644),
    fixed("low_latency/assured_bw", "15\n").mode(0o644),
    fixed("low_latency/ceiling_bw", "30\n").mode(0o644),
    fixed("untagged_eth_pcp", "6\n"),
];

/// A few of about two thousand: VALUE@SECONDS.NANOSECONDS of the real-time clock, which stands still here.
const TELEMETRY: [Attribute; 21] = [
    fixed("hni_pcs_corrected_cw", "1204@1767225600.000000000\n"),
    fixed("hni_pcs_good_cw", "39062500000@1767225600.000000000\n"),
    fixed("hni_pcs_uncorrected_cw", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_0", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_1", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_2", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_3", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_4", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_5", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_6", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_7", "0@1767225600.000000000\n"),
    fixed("hni_rx_paused_std", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_0", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_1", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_2", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_3", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_4", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_5", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_6", "0@1767225600.000000000\n"),
    fixed("hni_tx_paused_7", "0@1767225600.000000000\n"),
    fixed("parbs_tarb_pi_posted_pkts", "48213@1767225600.000000000\n"),
];

pub(super) fn link_restarts(nic: &NicState) -> Vec<File> {
    files(&LINK_RESTARTS, nic)
}

pub(super) fn error_flags(_: &NicState) -> Vec<File> {
    let of_block = |block: &'static str| {
        ERROR_FILES.map(|(name, mode, value)| File {
            path: Cow::Owned(format!("{block}/{name}")),
            mode,
            content: Cow::Borrowed(value.as_bytes()),
        })
    };
    ERROR_BLOCKS.into_iter().flat_map(of_block).collect()
}

pub(super) fn traffic_classes(nic: &NicState) -> Vec<File> {
    files(&TRAFFIC_CLASSES, nic)
}

pub(super) fn telemetry(nic: &NicState) -> Vec<File> {
    files(&TELEMETRY, nic)
}
