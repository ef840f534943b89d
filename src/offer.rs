//! Which NICs are on offer at all. Whether one of those may be used now is a matter of [`crate::health`].

use crate::inventory::{Function, Nic};

/// Which kind of PCI functions to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Functions {
    /// Physical functions
    #[default]
    Pf,
    /// Virtual functions (SR-IOV)
    Vf,
    /// Both
    All,
}

impl Functions {
    /// Whether functions of this kind are among them.
    pub fn include(self, function: Function) -> bool {
        match self {
            Self::Pf => function == Function::Physical,
            Self::Vf => function == Function::Virtual,
            Self::All => true,
        }
    }
}

/// Why a NIC is kept from containers, whatever its health; none for a NIC on offer.
pub fn withheld(nic: &Nic) -> Option<String> {
    withheld_from(nic, Functions::Pf)
}

/// The same, where the site has chosen the kind of functions.
///
/// A function without a driver stays on offer, as unhealthy: it passes that state whenever its driver is bound anew.
pub fn withheld_from(nic: &Nic, functions: Functions) -> Option<String> {
    if let Ok(Some(driver)) = &nic.driver
        && !crate::health::is_our_driver(driver)
    {
        return Some(format!("bound to driver {driver}"));
    }
    if functions.include(nic.function) {
        return None;
    }
    Some(match nic.function {
        Function::Physical => "a PF, and no PFs are asked for".to_owned(),
        Function::Virtual => "a VF, and no VFs are asked for".to_owned(),
    })
}
