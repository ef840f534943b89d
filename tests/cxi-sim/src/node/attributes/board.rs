//! What the card's microcontroller knows: `fru/`, `sensors/`, `settings/` (cass_sysfs.c) and `uc/` (cass_uc.c).

use std::borrow::Cow;

use super::super::state::NicState;
use super::super::variant::Variant;
use super::{Attribute, File, files, fixed, of};

/// An absent value reads as 0 bytes.
const FRU: [Attribute; 15] = [
    fixed("asset_tag", ""),
    fixed("chassis_type", "Mezz\n"),
    of("description", |nic| {
        if nic.kind().is_cassini2() {
            "400Gb 1P N\n"
        } else {
            "200Gb 1P N\n"
        }
        .into()
    }),
    fixed("engineering_change_level", "A\n"),
    fixed("manufacture_date", "2025-03-01\n"),
    fixed("manufacturer", "HPE\n"),
    of("model", |nic| {
        if nic.kind().is_cassini2() { "SS400\n" } else { "SS11\n" }.into()
    }),
    fixed("name", "Slingshot NIC\n"),
    fixed("other", ""),
    fixed("part_number", "P43012-001\n"),
    of("serial_number", |nic| format!("EMULATED{:04}\n", nic.number)),
    fixed("sku", ""),
    fixed("vendor", "HPE\n"),
    fixed("vendor_iana", "11\n"),
    fixed("version", "1\n"),
];

const UC: [Attribute; 9] = [
    fixed("app_version", "1.6.0\n"),
    fixed("bootloader_version", "1.2.0\n"),
    fixed("csr1_version", "1.0.0\n"),
    fixed("csr2_version", ""),
    fixed("oprom_version", "1.0.3\n"),
    fixed("qspi_blob_version", "1.6.0.326\n"),
    fixed("reset", "").mode(0o200),
    fixed("srds_version", "1.0.0\n"),
    fixed("timings", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"),
];

/// One sensor; reading its state is a command to the microcontroller and only for root.
const SENSORS: [Attribute; 16] = [
    fixed("0/base_unit", "Degrees C\n"),
    fixed("0/critical_high", "105\n"),
    fixed("0/critical_low", "0\n"),
    fixed("0/fatal_high", "115\n"),
    fixed("0/fatal_low", "0\n"),
    fixed("0/name", "ASIC Temperature\n"),
    fixed("0/nominal_value", "60\n"),
    fixed("0/operational_state", "enabled\n").mode(0o400),
    fixed("0/present_reading", "58\n").mode(0o400),
    fixed("0/present_state", "normal\n").mode(0o400),
    fixed("0/previous_state", "normal\n").mode(0o400),
    fixed("0/range_field_supported", "0\n"),
    fixed("0/rate_unit", "None\n"),
    fixed("0/unit_modifier", "0\n"),
    fixed("0/warning_high", "95\n"),
    fixed("0/warning_low", "0\n"),
];

const SETTINGS: [Attribute; 1] = [fixed("ac_filter_disabled", "0\n").mode(0o644)];

pub(super) fn fru(nic: &NicState) -> Vec<File> {
    let mut files = files(&FRU, nic);
    if nic.has(Variant::V7) {
        files.iter_mut().for_each(|file| file.content = Cow::Borrowed(b""));
    }
    files
}

pub(super) fn uc(nic: &NicState) -> Vec<File> {
    files(&UC, nic)
}

pub(super) fn sensors(nic: &NicState) -> Vec<File> {
    files(&SENSORS, nic)
}

pub(super) fn settings(nic: &NicState) -> Vec<File> {
    files(&SETTINGS, nic)
}
