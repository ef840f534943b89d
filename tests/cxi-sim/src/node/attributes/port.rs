//! `port/` of a Cassini 1 (cass_sbl.c: no newline at the end of a value) and `port/0/` of a Cassini 2 (cass_sl.c and the
//! sysfs/ directory of the link driver ss-link: newlines, except for `pause`).

use super::super::state::NicState;
use super::{Attribute, File, files, fixed};

const CASSINI_1: [Attribute; 6] = [
    fixed("link", "up"),
    fixed("link_layer_retry", "on"),
    fixed("loopback", "off"),
    fixed("media", "electrical"),
    fixed("pause", "pfc/802.1qbb"),
    fixed("speed", "BS_200G"),
];

const CASSINI_2: [Attribute; 14] = [
    fixed("0/link/ccw_warn_limit_crossed", "no\n"),
    fixed("0/link/config/loopback", "disabled\n"),
    fixed("0/link/config/pause_map", "pfc\n"),
    fixed("0/link/last_down/cause_map_0", "none\n"),
    fixed("0/link/last_down/time_0", "0\n"),
    fixed("0/link/speed", "ck400G\n"),
    fixed("0/link/state", "up\n"),
    fixed("0/link/up_count", "1\n"),
    fixed("0/link/up_time_ms", "14200\n"),
    fixed("0/llr/state", "running\n"),
    fixed("0/media/type", "electrical\n"),
    fixed("0/pause", "pfc/802.1qbb"),
    fixed("0/policies", ""),
    fixed("0/sl_info", ""),
];

pub(super) fn port(nic: &NicState) -> Vec<File> {
    files(
        if nic.kind().is_cassini2() {
            &CASSINI_2
        } else {
            &CASSINI_1
        },
        nic,
    )
}

/// The attributes that follow the fabric link, relative to the PCI directory: path, value when up, value when down.
pub(in super::super) fn link_words(nic: &NicState) -> &'static [(&'static str, &'static str, &'static str)] {
    match nic.kind() {
        kind if kind.is_vf() => &[],
        kind if kind.is_cassini2() => &[
            ("port/0/link/state", "up\n", "down\n"),
            ("port/0/link/speed", "ck400G\n", "no-link\n"),
            ("port/0/link/up_time_ms", "14200\n", "no-link\n"),
            ("properties/link", "1\n", "0\n"),
        ],
        _ => &[("port/link", "up", "down"), ("properties/link", "1\n", "0\n")],
    }
}
