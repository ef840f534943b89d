//! Does a CXI service admit the process? Nothing of it shows in the container: libfabric lists the NIC all the same.

use std::collections::BTreeMap;

use super::facts::{ContainerFacts, NicInContainer, ServicesOfNics};
use crate::model::services::admission::{self, Admission, Asker};

/// Why it is refused one NIC, where the NIC's services are known and none admits it.
pub(super) fn refusal(
    container: &ContainerFacts,
    environment: &BTreeMap<String, String>,
    view: &NicInContainer,
    services: &ServicesOfNics,
) -> Option<String> {
    let services = services.get(&view.nic.address)?.as_ref().ok()?;
    let asker = Asker {
        uid: Some(container.identity.uid),
        gid: container.identity.gids.first().copied(),
        netns: container.netns,
    };
    let cxi = view.nic.cxi.as_deref().unwrap_or_default();
    let (uid, gid) = container.identity.seen;
    let seen = Asker {
        uid: Some(uid),
        gid: Some(gid),
        ..asker
    };
    match admission::judge_within(services, asker, seen, environment, cxi) {
        Admission::Admitted { .. } => None,
        Admission::Refused { reason, error } => Some(format!(
            "{reason}. {}; fi_domain fails with {error}",
            who(container, asker)
        )),
    }
}

/// The process as the driver sees it.
fn who(container: &ContainerFacts, asker: Asker) -> String {
    let number = |number: Option<u32>| number.map_or("unknown".to_owned(), |number| number.to_string());
    let ids = match container.in_host_users {
        Ok(false) => ", which the ids in its user namespace stand for",
        _ => "",
    };
    format!(
        "The process is user {} and group {} of the host{ids}, in network namespace {}",
        number(asker.uid),
        number(asker.gid),
        number(asker.netns)
    )
}

/// Why nothing is known, where that is so for a NIC that it has.
pub(super) fn not_known<'a>(
    mut views: impl Iterator<Item = &'a NicInContainer>,
    services: &ServicesOfNics,
) -> Option<String> {
    let unknown = views.find_map(|view| match services.get(&view.nic.address) {
        Some(Ok(_)) => None,
        Some(Err(read_error)) => Some(read_error.to_string()),
        None => Some(format!("{}: it has no device node on the host", view.nic.address)),
    })?;
    Some(format!(
        "whether a CXI service admits the process is not known: {unknown}"
    ))
}
