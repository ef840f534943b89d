//! The driver's modules and parameters.

use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::nic::inventory::Nic;
use crate::model::nic::offer;

/// Core of the driver, and its name in older releases.
const CORE: &str = "cxi_ss1";
const FORMER_CORE: &str = "cxi_core";
/// What else must be loaded, how bad it is without, and what is missing then.
const CLIENTS: [(&str, Level, &str); 2] = [
    ("cxi_user", Level::Problem, "there is no /dev/cxiN"),
    (
        "cxi_eth",
        Level::Warning,
        "NICs have no netdev, and without one libfabric ignores them",
    ),
];

/// Whether any module of the driver's core is loaded; true where that is not known.
pub(super) fn is_loaded(facts: &NodeFacts, module: &str) -> bool {
    match &facts.driver.modules {
        Err(_) => true,
        Ok(modules) if module == CORE => modules.contains(CORE) || modules.contains(FORMER_CORE),
        Ok(modules) => modules.contains(module),
    }
}

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    let Some(inventory) = examination.known("NICs", &facts.inventory) else {
        return;
    };
    for problem in &inventory.problems {
        examination.found(
            (FindingId::SysfsInconsistent, Level::Warning),
            problem.path.display(),
            &problem.reason,
            vec![Evidence::new(&problem.path, &problem.reason)],
            "report it with: cxi-device-plugin doctor --bundle FILE",
        );
    }
    if inventory.nics.is_empty() {
        examination.found(
            (FindingId::NoNics, Level::Warning),
            "node",
            "no HPE Slingshot NIC: no PCI function 17db:0501, 1590:0371 or 1590:0372",
            Vec::new(),
            "lspci -d 17db: ; lspci -d 1590: ; if they show nothing, the card is not seated, not powered or off in the firmware",
        );
        return;
    }
    if inventory.nics.iter().all(is_foreign) {
        return;
    }
    modules(facts, examination);
    default_service(facts, examination);
    open_service(&inventory.nics, examination);
    lingering(&inventory.nics, facts.unix_seconds, examination);
}

/// Bound to a driver that is not ours, by an admin's choice.
pub(super) fn is_foreign(nic: &Nic) -> bool {
    matches!(&nic.driver, Ok(Some(driver)) if !offer::is_our_driver(driver))
}

fn modules(facts: &NodeFacts, examination: &mut Examination) {
    let Some(loaded) = examination.known("driver modules", &facts.driver.modules) else {
        return;
    };
    let list: Vec<&str> = loaded.iter().map(String::as_str).collect();
    let evidence = || vec![Evidence::new("/sys/module", format!("cxi modules: {}", or_none(&list)))];
    if !is_loaded(facts, CORE) {
        examination.found(
            (FindingId::DriverModuleMissing, Level::Problem),
            CORE,
            "the driver is not loaded",
            evidence(),
            "modprobe -a cxi_ss1 cxi_user cxi_eth ; is the package of the driver (cray-cxi-driver) there for this kernel? See dmesg",
        );
        return;
    }
    for (module, level, without) in CLIENTS {
        if !loaded.contains(module) {
            examination.found(
                (FindingId::DriverModuleMissing, level),
                module,
                format!("the module is not loaded: {without}"),
                evidence(),
                format!("modprobe {module}"),
            );
        }
    }
    if !loaded.contains(CORE) {
        examination.found(
            (FindingId::DriverOld, Level::Note),
            FORMER_CORE,
            "an older driver, of the time before it was called cxi_ss1; NICs are offered all the same",
            evidence(),
            "plan an update to the Slingshot host software of the fabric",
        );
    }
}

fn or_none(list: &[&str]) -> String {
    if list.is_empty() {
        "none".to_owned()
    } else {
        list.join(", ")
    }
}

/// No fault where the site wants it so; who does not know of it should.
fn open_service(nics: &[Nic], examination: &mut Examination) {
    for nic in nics {
        let Ok(Some(service)) = nic.open_default_service() else {
            continue;
        };
        let vnis = service.descriptor.vnis.iter().map(ToString::to_string);
        let vnis = vnis.collect::<Vec<_>>().join(" and ");
        let cxi = nic.cxi.as_ref().map(ToString::to_string).unwrap_or_default();
        examination.found(
            (FindingId::DefaultServiceOpen, Level::Note),
            nic.address,
            format!("the default service (1) is on: every process of the node may use the fabric on VNIs {vnis}, and nothing keeps pods apart"),
            vec![Evidence::new(format!("/dev/{cxi}"), "service 1 is enabled and has no restricted members")],
            format!("where that is not meant: cxi-device-plugin services disable-default {}", nic.address),
        );
    }
}

/// After a job that takes minutes; then somebody has died, or still runs.
fn lingering(nics: &[Nic], now: u64, examination: &mut Examination) {
    for nic in nics {
        let cxi = nic.cxi.as_ref().map(ToString::to_string).unwrap_or_default();
        for lingering in &nic.lingering {
            let (id, minutes) = (lingering.service, now.saturating_sub(lingering.since) / 60);
            examination.found(
                (FindingId::ServiceLingering, Level::Warning),
                nic.address,
                format!(
                    "CXI service {id} is to end, and the driver has refused that for {minutes} min: somebody uses it, and its VNIs are not \
                     to be given to others before it has ended"
                ),
                vec![Evidence::new(format!("/dev/{cxi}"), format!("SVC_DESTROY of service {id} was refused with EBUSY"))],
                format!(
                    "see who has the NIC open: fuser -v /dev/{cxi} ; end that, then: cxi-device-plugin services delete {} {id} ; where \
                     nobody has it open, only the driver can let go: drain the node and bind it anew",
                    nic.address
                ),
            );
        }
    }
}

fn default_service(facts: &NodeFacts, examination: &mut Examination) {
    let reading = &facts.driver.default_service_disabled;
    let Some(Some(value)) = examination.known("default service", reading) else {
        return;
    };
    if value != "Y" {
        return;
    }
    examination.found(
        (FindingId::DefaultServiceOff, Level::Note),
        "services",
        "the driver starts with the default service (1) off; a pod needs a CXI service that admits it",
        vec![Evidence::new(&facts.driver.default_service_parameter, value)],
        "cxi-device-plugin services ; where the site allows it to everybody: cxi-device-plugin services enable-default, and at each \
         boot by cxi-default-service@.service",
    );
}
