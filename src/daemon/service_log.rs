//! What the log says of CXI services: each thing once.

use std::collections::BTreeMap;

use crate::model::message_id;
use crate::model::nic::attributes::CxiName;
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;
use crate::model::services::lingering::Lingering;

/// What was told of the NICs that are there.
#[derive(Debug, Default)]
pub struct ServiceLog {
    /// Whether the site means a default service that is on.
    pub is_open_meant: bool,
    told: BTreeMap<PciAddress, Told>,
}

/// Of one NIC.
#[derive(Debug, Default)]
struct Told {
    /// In this life of it.
    cxi: Option<CxiName>,
    is_open: bool,
    lingering: Vec<Lingering>,
}

impl ServiceLog {
    /// Tells what is new. Of a NIC that does not answer, all stays as it was.
    pub fn tell(&mut self, nics: &[Nic]) {
        let mut before = std::mem::take(&mut self.told);
        for nic in nics {
            let cxi = nic.cxi.as_ref().ok().copied();
            let mut told = before
                .remove(&nic.address)
                .filter(|told| told.cxi == cxi)
                .unwrap_or_default();
            told.cxi = cxi;
            if nic.services.is_ok() {
                self.tell_open(nic, &mut told);
                tell_lingering(nic, &mut told);
            }
            self.told.insert(nic.address, told);
        }
    }

    fn tell_open(&self, nic: &Nic, told: &mut Told) {
        let pci = nic.address;
        let is_open = nic.open_default_service().is_ok_and(|open| open.is_some());
        if is_open && !told.is_open && !self.is_open_meant {
            let message_id = message_id::SERVICE_OPEN;
            tracing::warn!(
                message_id,
                %pci,
                "the default CXI service is on: every process of the node may use the fabric by it; where that is not meant: \
                 cxi-device-plugin services disable-default {pci}"
            );
        }
        // Said again only when it was off meanwhile, or is no longer meant.
        told.is_open = is_open && !self.is_open_meant;
    }
}

fn tell_lingering(nic: &Nic, told: &mut Told) {
    let pci = nic.address;
    for Lingering { service, .. } in nic.lingering.iter().filter(|new| !told.lingering.contains(new)) {
        let message_id = message_id::SERVICE_LINGERS;
        tracing::warn!(
            message_id,
            %pci,
            service,
            "CXI service {service} lingers: the driver refuses its end, as somebody uses it; its VNIs are not to be given to others before \
             that: cxi-device-plugin services delete {pci} {service}"
        );
    }
    for Lingering { service, .. } in told.lingering.iter().filter(|old| !nic.lingering.contains(old)) {
        tracing::info!(%pci, service, "CXI service {service} does not linger any more");
    }
    told.lingering.clone_from(&nic.lingering);
}
