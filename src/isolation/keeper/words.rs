//! Why a pod has no service on a NIC, in words that end up in the pod's event.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::isolation::ledger::Entry;
use crate::model::services::answers::AllocAnswer;
use crate::model::services::create::Step;
use crate::model::services::refused::{Refused, errno};
use crate::model::services::service::{Origin, Service};

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    nic: String,
    reason: String,
}

impl Refusal {
    /// On this NIC, for this reason.
    pub fn new(nic: &str, reason: String) -> Self {
        let nic = nic.to_owned();
        Self { nic, reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.nic, self.reason)
    }
}

/// A service as an admin finds it in `services list`.
fn called(service: &Service, owner: Option<&Entry>) -> String {
    let id = service.id();
    match (owner, &service.origin) {
        (Some(owner), _) => format!("service {id} of pod {}", owner.sandbox),
        (None, Origin::Default) => "the default service (1)".to_owned(),
        (None, Origin::Configfs(_)) => format!("group {id} of configfs"),
        (None, Origin::Command) => format!("service {id} of somebody else"),
    }
}

/// A namespace's number is used again, and the service of an earlier one would admit the pod.
pub fn same_netns(service: &Service, owner: Option<&Entry>) -> String {
    format!(
        "{} admits the network namespace of this pod: it must go first (cxi-device-plugin services)",
        called(service, owner)
    )
}

/// A launcher, or a pod of another namespace.
pub fn vni_taken(service: &Service, owner: Option<&Entry>, vni: u16) -> String {
    format!("VNI {vni} is taken by {}", called(service, owner))
}

/// Of several services nobody can tell which was made for the pod.
pub fn unclear(candidates: &BTreeSet<u32>) -> String {
    let named: Vec<String> = candidates.iter().map(ToString::to_string).collect();
    format!(
        "services {} look alike, and one of them was made for this pod before a crash: none is touched; delete those that nobody \
         needs (cxi-device-plugin services delete)",
        named.join(" and ")
    )
}

/// The command that makes one has said no.
pub fn made_nothing(refused: &Refused, answer: &AllocAnswer, vni: u16) -> String {
    match refused.number() {
        Some(errno::EEXIST) => format!(
            "VNI {vni} is in use on this NIC, and this driver gives it to one service only: a range of its own for each \
             namespace, or a newer driver"
        ),
        Some(errno::ENOSPC) if answer.no_le_pools || answer.no_tle_pools => {
            format!("no service can be made: no pool of list entries is left ({refused})")
        }
        Some(errno::ENOSPC) => format!("no service can be made: the NIC has no room for one more ({refused})"),
        Some(errno::EPERM) => format!("no service can be made: {refused}; is this cxi-isolation.service?"),
        _ => format!("no service can be made: {refused}"),
    }
}

/// It was made, and could not be completed.
pub fn step_failed(step: Step, refused: &Refused) -> String {
    let older = match (step, refused.may_be_unknown()) {
        (Step::SetNetns(_), true) => "; services for network namespaces take a driver of 2026 or later",
        _ => "",
    };
    format!(
        "the service was made and is taken back: cannot {}: {refused}{older}",
        step.words()
    )
}
