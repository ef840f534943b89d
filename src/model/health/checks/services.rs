//! Could a pod use the NIC, by its CXI services?

use std::collections::BTreeMap;

use crate::model::health::check_result::CheckResult;
use crate::model::nic::attributes::Function;
use crate::model::nic::inventory::Nic;
use crate::model::services::admission::{self, Admission, Asker};
use crate::model::services::room;
use crate::model::services::service::Service;

/// A service that the site's pod could use.
pub(super) fn cxi_service(nic: &Nic, pod: Asker) -> CheckResult {
    if nic.function == Function::Virtual {
        // Its users are judged as the physical function's own thread is.
        return CheckResult::unknown("a VF's services are those of its PF, and admit its users by other rules");
    }
    if let Some(Err(read_error)) = &nic.isolation {
        return CheckResult::bad(format!(
            "pods get no CXI service of their own: {} (systemctl status cxi-isolation)",
            read_error.reason
        ));
    }
    let services = match &nic.services {
        Err(read_error) => return CheckResult::unknown(read_error),
        Ok(services) => services,
    };
    if nic.isolation.is_some() {
        return for_one_more(services);
    }
    let cxi = nic.cxi.as_ref().map(ToString::to_string).unwrap_or_default();
    match admission::judge(services, pod, &BTreeMap::new(), &cxi) {
        Admission::Admitted { service, .. } => CheckResult::ok(format!("{pod} can use it, by CXI service {service}")),
        Admission::Refused { reason, .. } => CheckResult::bad(reason.replace("admits it:", &format!("admits {pod}:"))),
    }
}

/// Each pod gets a service of its own.
fn for_one_more(services: &[Service]) -> CheckResult {
    if room::is_for_one_more(services) {
        CheckResult::ok("each pod gets a CXI service of its own, and there is room for one more")
    } else {
        CheckResult::bad(format!(
            "each pod gets a CXI service of its own, and the NIC has no room for one more: it has {}",
            services.len()
        ))
    }
}

/// What the service of such a pod has no more of, for people.
pub(super) fn used_up(nic: &Nic, pod: Asker) -> Option<String> {
    let services = nic.services.as_ref().ok()?;
    let service = admission::for_plain_pod(services, pod)?;
    let out = room::used_up(service);
    let said = out
        .iter()
        .map(|out| format!("{} of {} {}", out.in_use, out.max, out.resource.plural()));
    let said = said.collect::<Vec<_>>().join(", ");
    (!out.is_empty()).then(|| {
        format!(
            "CXI service {} has nothing left of what every user needs: {said} in use",
            service.id()
        )
    })
}
