//! The NICs by the numbers of their device nodes, as they are at this moment: a short look, for whoever is asked while a container
//! is made.

use super::attributes::Attributes;
use super::survey::{class, functions_directory};
use crate::host::files::roots::Roots;
use crate::model::isolation::container::{NicNow, Numbers};
use crate::model::nic::attributes::{CxiName, Function};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::Reading;
use crate::model::services::default_service::Life;

/// Those that have a node by their driver's word.
///
/// # Errors
/// Class `cxi_user` cannot be listed; that says nothing of the NICs.
pub fn nics(roots: &Roots) -> Reading<Vec<NicNow>> {
    let named = class(roots, "cxi_user", &mut Vec::new())?;
    let nics = named.into_iter().filter_map(|(address, cxi)| nic(roots, address, cxi));
    Ok(nics.collect())
}

/// One; none where the driver is taking it away.
fn nic(roots: &Roots, address: PciAddress, cxi: CxiName) -> Option<NicNow> {
    let entry = roots.sysfs.join("class/cxi_user").join(cxi.to_string());
    let numbers = roots.text(&entry.join("dev")).ok()?;
    let (major, minor) = numbers.split_once(':')?;
    let sysfs = functions_directory(roots).join(address.to_string());
    let read = Attributes::new(roots, &sysfs);
    let has_netdev = roots
        .names_if_there(&sysfs.join("net"))
        .is_ok_and(|names| !names.is_empty());
    Some(NicNow {
        address,
        cxi,
        numbers: Numbers {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        },
        is_physical: read.function() == Function::Physical,
        life: Life {
            cxi: cxi.to_string(),
            instance: read.inode("properties").unwrap_or(0),
        }
        .stamp()
        .trim_end()
        .to_owned(),
        directory: read.pci_directory().ok().filter(|_| has_netdev),
    })
}
