//! `properties/` of a PF or VF (cass_sysfs.c). Every value ends with a newline.

use super::super::state::NicState;
use super::super::variant::Variant;
use super::{Attribute, File, files, fixed, of};

const PROPERTIES: [Attribute; 33] = [
    fixed("amo_remap_to_pcie_fadd", "-1\n").mode(0o644),
    of("cassini_version", |nic| {
        if nic.kind().is_cassini2() { "2.0\n" } else { "1.1\n" }.into()
    }),
    fixed("current_esm_link_speed", "Disabled\n"),
    fixed("driver_rev", "9ce667e\n"),
    fixed("hpc_mtu", "2112\n"),
    // Link, speed and the retry handler's EQ are local state of the PF, never set on a VF.
    of("link", |nic| if nic.kind().is_vf() { "0\n" } else { "1\n" }.into()),
    fixed("min_free_shift", "0\n"),
    of("nic_addr", nid),
    of("nid", nid).mode(0o644),
    fixed("num_acs", "1022\n"),
    fixed("num_cts", "2047\n"),
    fixed("num_eqs", "2047\n"),
    fixed("num_les", "16384\n"),
    fixed("num_ptes", "2048\n"),
    fixed("num_tgqs", "512\n"),
    fixed("num_tles", "2048\n"),
    fixed("num_txqs", "1024\n"),
    fixed("pcie_corr_err", "0\n"),
    fixed("pcie_uncorr_err", "0\n"),
    of("pct_eq", |nic| {
        if nic.kind().is_vf() || nic.has(Variant::V14) {
            "0\n"
        } else {
            "1\n"
        }
        .into()
    }),
    fixed("pid_bits", "9\n"),
    fixed("pid_count", "511\n"),
    fixed("pid_granule", "256\n"),
    fixed("platform", "0\n"),
    fixed("proto", "0\n"),
    fixed("rdzv_get_en", "1\n").mode(0o644),
    fixed("rdzv_get_idx", "255\n"),
    // The revision from which the driver derives cassini_version (is_supported(), cass_core.c).
    of("rev", |nic| if nic.kind().is_cassini2() { "1\n" } else { "2\n" }.into()),
    // Of 255, the retry handler has one, and the netdev of a PF, which is up, another.
    fixed("rgids_avail", "253\n"),
    of("speed", |nic| {
        let speed = match nic.kind() {
            kind if kind.is_vf() => 0,
            // The attribute asks the Cassini 1 link driver, which knows nothing of a Cassini 2.
            kind if kind.is_cassini2() || nic.has(Variant::V9) => -1,
            _ => 200_000,
        };
        format!("{speed}\n")
    }),
    of("uc_nic", |nic| format!("{}\n", nic.number % 2)),
    // Newer drivers only.
    fixed("ats_enabled", "0\n"),
    of("system_type_identifier", |nic| {
        if nic.kind().is_cassini2() { "2\n" } else { "1\n" }.into()
    }),
];

/// Missing in older drivers (V13).
const NEW: [&str; 2] = ["ats_enabled", "system_type_identifier"];

fn nid(nic: &NicState) -> String {
    // CXI_INVALID_NID of include/linux/hpe/cxi/cxi.h.
    let nid = if nic.has(Variant::V6) { u32::MAX } else { nic.nid() };
    format!("{nid:#x}\n")
}

pub(super) fn properties(nic: &NicState) -> Vec<File> {
    let mut files = files(&PROPERTIES, nic);
    files.retain(|file| !(nic.has(Variant::V13) && NEW.contains(&file.path.as_ref())));
    files
}
