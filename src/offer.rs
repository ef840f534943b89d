//! Which NICs are on offer at all. Whether one of those may be used now is a matter of [`crate::health`].

use crate::inventory::{Function, Nic};

/// Why a NIC is kept from containers, whatever its health; none for a NIC on offer.
///
/// A function without a driver stays on offer, as unhealthy: it passes that state whenever its driver is bound anew.
pub fn withheld(nic: &Nic) -> Option<String> {
    if let Ok(Some(driver)) = &nic.driver
        && !crate::health::is_our_driver(driver)
    {
        return Some(format!("bound to driver {driver}"));
    }
    if nic.function == Function::Virtual {
        return Some("a VF, and no resource selects VFs".to_owned());
    }
    None
}
