//! What a container gets for the devices that kubelet asks for. Pure, and the same answer each time: kubelet may ask
//! again for what it has been given already.

use std::collections::BTreeSet;

use thiserror::Error;

use super::brief::excerpt;
use super::resource::ResourceName;
use super::snapshot::Snapshot;
use super::strategy::Strategy;
use crate::model::cdi::KIND;
use crate::model::cdi::model::ContainerEdits;
use crate::model::nic::pci::PciAddress;

/// The answer for one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Qualified CDI names; never of the names that move.
    pub cdi_devices: Vec<String>,
    /// What kubelet itself passes to the runtime.
    pub edits: ContainerEdits,
}

/// Why kubelet must reject the pod.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Never listed, or gone.
    #[error("unknown device '{0}': it is not, or no longer, a NIC of this node")]
    Unknown(String),
    /// One device cannot count for two.
    #[error("device '{0}' is asked for twice in one container")]
    Repeated(String),
    /// Nothing to hand out.
    #[error("device '{0}' has no device node at the moment")]
    NoNode(String),
    /// More than any kubelet asks for.
    #[error("{0} devices in {1} containers are asked for at once: at most {DEVICES} in {CONTAINERS} are answered")]
    TooMany(usize, usize),
}

/// As many devices as kubelet's own limits let one request name, with room to spare.
const DEVICES: usize = 4096;
/// Kubelet asks for one container at a time.
const CONTAINERS: usize = 128;

/// Whether a request for so many devices in so many containers is answered at all.
///
/// # Errors
/// It is not.
pub fn bounded(devices: usize, containers: usize) -> Result<(), Refusal> {
    let is_bounded = devices <= DEVICES && containers <= CONTAINERS;
    is_bounded.then_some(()).ok_or(Refusal::TooMany(devices, containers))
}

/// The answer to one container's request for exactly these devices.
pub fn allocate(snapshot: &Snapshot, resource: &ResourceName, ids: &[String]) -> Result<Allocation, Refusal> {
    let mut addresses = BTreeSet::new();
    let mut of_nics = ContainerEdits::default();
    for id in ids {
        let unknown = || Refusal::Unknown(excerpt(id));
        let address: PciAddress = id.parse().map_err(|_| unknown())?;
        let device = snapshot.devices.get(&address).ok_or_else(unknown)?;
        let edits = device.edits.as_ref().ok_or_else(|| Refusal::NoNode(excerpt(id)))?;
        if !addresses.insert(address) {
            return Err(Refusal::Repeated(excerpt(id)));
        }
        of_nics.extend(edits);
    }
    // By address, since kubelet's order means nothing and the answer should not depend on it.
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let variable = format!("{}={}", resource.environment_variable(), addresses.join(","));
    Ok(match snapshot.strategy {
        Strategy::Cdi => Allocation {
            cdi_devices: addresses.iter().map(|address| format!("{KIND}={address}")).collect(),
            edits: ContainerEdits {
                env: vec![variable],
                ..ContainerEdits::default()
            },
        },
        Strategy::Direct => {
            of_nics.device_nodes.sort_by(|one, other| one.path.cmp(&other.path));
            of_nics
                .mounts
                .sort_by(|one, other| one.container_path.cmp(&other.container_path));
            let mut edits = snapshot.common.clone();
            edits.env.push(variable);
            edits.extend(&of_nics);
            Allocation {
                cdi_devices: Vec::new(),
                edits,
            }
        }
    })
}
