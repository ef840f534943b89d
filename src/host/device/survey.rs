//! All that a NIC says of its services, by commands that anybody may send. The driver answers most of them from memory, and what is
//! in use of list entries by a read of the NIC's registers; none of them wakes its microcontroller.

use std::collections::BTreeMap;

use super::commands::Commands;
use crate::model::services::answers::Use;
use crate::model::services::descriptor::{DEFAULT_SERVICE, Descriptor};
use crate::model::services::refused::{Refused, errno};
use crate::model::services::service::{Origin, Service, Told, VniRange};

/// Asks for the services. `names` are those of the groups in configfs, as far as they are known.
///
/// # Errors
/// The list cannot be had. What else the driver does not tell is unknown.
pub fn services(commands: Commands<'_>, names: &BTreeMap<u32, String>) -> Result<Vec<Service>, Refused> {
    let descriptors = commands.services()?;
    let uses = commands.uses();
    let asked = descriptors
        .into_iter()
        .map(|descriptor| service(commands, descriptor, &uses, names));
    Ok(asked.collect())
}

fn service(
    commands: Commands<'_>,
    descriptor: Descriptor,
    uses: &Told<Vec<Use>>,
    names: &BTreeMap<u32, String>,
) -> Service {
    let id = descriptor.id;
    let range = commands.vni_range(id);
    let origin = if descriptor.id == DEFAULT_SERVICE {
        Origin::Default
    } else if names.contains_key(&id) || is_group(commands, id, &range) {
        Origin::Configfs(names.get(&id).cloned())
    } else {
        Origin::Command
    };
    let has_single_vnis = descriptor.restricted_vnis;
    // EINVAL: a service without a namespace, or a driver that knows of none; then it has none either.
    let netns = match descriptor.restricted_members {
        true => if_any(commands.netns(id), &[errno::EINVAL]),
        false => Ok(None),
    };
    Service {
        origin,
        vni_range: match has_single_vnis {
            true => Ok(None),
            false => if_any(range, &[errno::EINVAL, errno::ENOENT, errno::EOPNOTSUPP]),
        },
        netns,
        exclusive_cp: if_any(commands.exclusive_cp(id), &[errno::ENOENT, errno::EINVAL]),
        lnis_per_rgid: commands.lnis_per_rgid(id),
        usage: match uses {
            Ok(uses) => uses
                .iter()
                .find(|used| used.id == id)
                .copied()
                .ok_or_else(|| Refused::Odd {
                    command: "SVC_RSRC_LIST_GET",
                    reason: format!("service {id} is missing"),
                }),
            Err(refused) => Err(refused.clone()),
        },
        descriptor,
    }
}

/// The driver lists a group of configfs, and knows no service of its number.
fn is_group(commands: Commands<'_>, id: u32, range: &Told<VniRange>) -> bool {
    let has_no_range = range
        .as_ref()
        .is_err_and(|refused| refused.number() == Some(errno::EOPNOTSUPP));
    has_no_range
        && commands
            .service(id)
            .is_err_and(|refused| refused.number() == Some(errno::EINVAL))
}

/// None where one of these numbers says that there is none.
fn if_any<T>(told: Told<T>, none: &[i32]) -> Told<Option<T>> {
    match told {
        Ok(value) => Ok(Some(value)),
        Err(refused) if refused.number().is_some_and(|number| none.contains(&number)) => Ok(None),
        Err(refused) => Err(refused),
    }
}
