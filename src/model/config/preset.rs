//! Environment for containers under a name. None of it holds unless a site asks for it: sites disagree, and values change with
//! the software, so each preset has a date.

use super::fragment::{Content, Fragment};
use super::problem::Origin;

/// A set of variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Virtual functions: they have neither a retry handler nor a fabric address of their own
    Vf,
    /// The cache of memory registrations hears by /dev/kdreg2 that memory goes away
    MrCache,
    /// Collectives of GPUs (NCCL, RCCL)
    Ccl,
}

impl Preset {
    /// When its values were right, by HPE's documentation of that month.
    pub const DATED: &str = "2026-11";

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vf => "vf",
            Self::MrCache => "mr-cache",
            Self::Ccl => "ccl",
        }
    }

    /// What it sets. Which provider and which NICs a program uses is never part of one.
    pub fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Vf => &[("CXIP_SKIP_RH_CHECK", "1"), ("CXIP_SKIP_AMA_CHECK", "1")],
            Self::MrCache => &[("FI_MR_CACHE_MONITOR", "kdreg2")],
            Self::Ccl => &[
                ("FI_CXI_DISABLE_HOST_REGISTER", "1"),
                ("FI_CXI_DEFAULT_CQ_SIZE", "131072"),
                ("FI_CXI_RX_MATCH_MODE", "hybrid"),
                ("NCCL_SOCKET_IFNAME", "hsn"),
                ("NCCL_NET_GDR_LEVEL", "PHB"),
            ],
        }
    }
}

/// What these presets set, for whatever else is set to go over it.
pub fn fragment(presets: &[Preset]) -> Fragment {
    let mut fragment = Fragment::default();
    for preset in presets {
        let origin = Origin::Preset {
            name: preset.name(),
            dated: Preset::DATED,
        };
        for (key, value) in preset.variables() {
            fragment.set_variable(key, Content::Text((*value).to_owned()), &origin);
        }
    }
    fragment
}
