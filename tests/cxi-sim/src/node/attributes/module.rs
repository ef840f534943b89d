//! Modules and their parameters (cass_svc.c, cass_core.c).

use super::{Attribute, fixed};

/// Every module of the driver has these.
const COMMON: [Attribute; 2] = [fixed("initstate", "live\n"), fixed("refcnt", "1\n")];

const CXI_SS1: [Attribute; 9] = [
    fixed("initstate", "live\n"),
    fixed("parameters/default_lnis_per_rgid", "1\n").mode(0o644),
    fixed("parameters/default_svc_num_tles", "512\n").mode(0o644),
    fixed("parameters/default_svc_test_mode", "N\n"),
    fixed("parameters/default_vnis", "1,10,0,0\n"),
    fixed("parameters/disable_default_svc", "Y\n"),
    fixed("parameters/disable_on_error", "Y\n").mode(0o644),
    fixed("parameters/enable_rgid_sharing", "Y\n").mode(0o644),
    fixed("refcnt", "3\n"),
];

/// Module name (underscores, although the files have dashes) and its files.
pub(in super::super) const MODULES: [(&str, &[Attribute]); 5] = [
    ("cxi_eth", &COMMON),
    ("cxi_sbl", &COMMON),
    ("cxi_sl", &COMMON),
    ("cxi_ss1", &CXI_SS1),
    ("cxi_user", &COMMON),
];

/// Write-only files of a PCI driver.
pub(in super::super) const DRIVER_FILES: [Attribute; 5] = [
    fixed("bind", "").mode(0o200),
    fixed("new_id", "").mode(0o200),
    fixed("remove_id", "").mode(0o200),
    fixed("uevent", "").mode(0o200),
    fixed("unbind", "").mode(0o200),
];
