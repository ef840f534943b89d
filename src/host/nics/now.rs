//! The NICs by the numbers of their device nodes, as they are at this moment: a short look, for whoever is asked while a container
//! is made.

use std::path::PathBuf;

use super::attributes::Attributes;
use super::survey::{class, functions_directory};
use crate::host::files::roots::Roots;
use crate::model::isolation::container::{NicNow, Numbers};
use crate::model::nic::attributes::{CxiName, Function};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::Reading;
use crate::model::services::default_service::Life;

/// Those that are there.
#[derive(Debug)]
pub struct NicsNow {
    /// Those that have a node by their driver's word.
    pub nics: Vec<NicNow>,
    /// There is no other one: one that could not be read is none that is gone.
    pub is_complete: bool,
}

/// Looks for them.
///
/// # Errors
/// Class `cxi_user` cannot be listed; that says nothing of the NICs.
pub fn nics(roots: &Roots) -> Reading<NicsNow> {
    let mut problems = Vec::new();
    let named = class(roots, "cxi_user", &mut problems)?;
    let read = named.into_iter().map(|(address, cxi)| (cxi, nic(roots, address, cxi)));
    let (mut nics, mut is_complete) = (Vec::new(), problems.is_empty());
    for (cxi, nic) in read {
        // The driver may be taking it away meanwhile.
        let is_there = || roots.look(&entry_of(roots, cxi)).is_ok_and(|there| there.is_some());
        match nic {
            Some(nic) => nics.push(nic),
            None => is_complete &= !is_there(),
        }
    }
    Ok(NicsNow { nics, is_complete })
}

fn entry_of(roots: &Roots, cxi: CxiName) -> PathBuf {
    roots.sysfs.join("class/cxi_user").join(cxi.to_string())
}

/// One; none where it cannot be read.
fn nic(roots: &Roots, address: PciAddress, cxi: CxiName) -> Option<NicNow> {
    let entry = entry_of(roots, cxi);
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
