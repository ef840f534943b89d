//! What the log says of the node and its NICs: each change once.

use std::collections::{BTreeMap, BTreeSet};

use super::service_log::ServiceLog;
use crate::model::alloc::snapshot::{Device, Snapshot};
use crate::model::cdi::render::Policy;
use crate::model::health::{Check, Condition, Verdict};
use crate::model::message_id;
use crate::model::nic::attributes::Fru;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::ReadError;

/// What the log has been told already.
#[derive(Debug, Default)]
pub struct ChangeLog {
    nics: BTreeMap<PciAddress, String>,
    cards: BTreeMap<PciAddress, Fru>,
    problems: Vec<ReadError>,
    warnings: BTreeSet<(PciAddress, Check)>,
    services: ServiceLog,
}

impl ChangeLog {
    /// Whether the site means a default service that is on.
    pub fn takes_open_services(&mut self, is_meant: bool) {
        self.services.is_open_meant = is_meant;
    }

    /// Tells what is new in a scan, and in what will be published of it.
    pub fn tell(&mut self, inventory: &Inventory, policy: &Policy, next: &Snapshot) {
        let is_new = |problem: &&ReadError| !self.problems.contains(problem);
        for problem in inventory.problems.iter().filter(is_new) {
            tracing::warn!("{problem}");
        }
        self.problems.clone_from(&inventory.problems);
        let mut before = std::mem::take(&mut self.nics);
        for nic in &inventory.nics {
            self.tell_state(nic, before.remove(&nic.address), state(nic, policy, next));
            self.tell_card(nic);
            if let Some(device) = next.devices.get(&nic.address) {
                self.tell_warnings(nic, device);
            }
        }
        for gone in before.keys() {
            tracing::warn!(message_id = message_id::NIC_GONE, pci = %gone, "gone");
        }
        self.warnings.retain(|(address, _)| next.devices.contains_key(address));
        self.services.tell(&inventory.nics);
    }

    fn tell_state(
        &mut self,
        nic: &Nic,
        before: Option<String>,
        (message_id, state, reason): (&'static str, &'static str, String),
    ) {
        let (pci, cxi) = (nic.address, cxi(nic));
        let separator = if reason.is_empty() { "" } else { ": " };
        let line = format!(
            "{}: {state}{separator}{reason}",
            cxi.as_deref().unwrap_or("no cxi name")
        );
        if before.as_ref() != Some(&line) {
            match message_id {
                message_id::NIC_UNHEALTHY => tracing::warn!(message_id, nic = cxi, %pci, reason, "{line}"),
                _ => tracing::info!(message_id, nic = cxi, %pci, reason, "{line}"),
            }
        }
        self.nics.insert(pci, line);
    }

    fn tell_card(&mut self, nic: &Nic) {
        if let Ok(fru) = &nic.fru
            && self.cards.insert(nic.address, fru.clone()).as_ref() != Some(fru)
        {
            tracing::info!(message_id = message_id::NIC_CARD, pci = %nic.address, "{fru}");
        }
    }

    /// Of a NIC that is unhealthy, the line about that says enough.
    fn tell_warnings(&mut self, nic: &Nic, device: &Device) {
        let pci = nic.address;
        for condition in &device.conditions {
            let (warning, check) = ((pci, condition.check), condition.check.name());
            if condition.verdict == Verdict::Warn && device.is_healthy() {
                if self.warnings.insert(warning) {
                    let (message_id, reason) = (message_id::NIC_WARNING, &condition.reason);
                    tracing::warn!(message_id, %pci, condition = check, reason, "warning: {condition}");
                }
            } else if !condition.verdict.is_bad() && self.warnings.remove(&warning) {
                let message_id = message_id::NIC_WARNING_OVER;
                tracing::info!(message_id, %pci, condition = check, "no warning any more: {condition}");
            }
        }
    }
}

fn cxi(nic: &Nic) -> Option<String> {
    nic.cxi.as_ref().ok().map(ToString::to_string)
}

/// The kind of message, the state in a word, and why it is so.
fn state(nic: &Nic, policy: &Policy, next: &Snapshot) -> (&'static str, &'static str, String) {
    match (policy.selection.withheld(nic), next.devices.get(&nic.address)) {
        (Some(reason), _) => (message_id::NIC_NOT_OFFERED, "not offered", reason),
        (None, Some(device)) if device.is_healthy() => (message_id::NIC_HEALTHY, "healthy", String::new()),
        (None, device) => {
            let reason = reasons(device.map_or(&[], |device| &device.conditions));
            (message_id::NIC_UNHEALTHY, "unhealthy", reason)
        }
    }
}

fn reasons(conditions: &[Condition]) -> String {
    let with = |verdict| {
        let of_verdict = conditions.iter().filter(move |condition| condition.verdict == verdict);
        of_verdict.map(ToString::to_string).collect::<Vec<_>>()
    };
    match with(Verdict::Fail) {
        failed if failed.is_empty() => {
            let unusable = "its device node is not known".to_owned();
            [vec![unusable], with(Verdict::Warn)].concat().join("; ")
        }
        failed => failed.join("; "),
    }
}
