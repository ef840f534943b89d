//! From the facts to the findings.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{ContainerFacts, Identity, NicInContainer, NodeInContainer, ServicesOfNics};
use super::finding::ContainerFinding;
use super::node::node_fault;
use super::{parse, readable, service, variables};
use crate::model::health::{Check, Verdict};
use crate::model::libs::image::{self, ImageFinding as LibraryFinding};
use crate::model::reading::Reading;

/// Kind of the finding about what a container holds beyond what it was given.
pub(super) const NOT_GIVEN: &str = "not-given";

/// One NIC of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NicReport {
    /// Its PCI address.
    pub address: String,
    /// Its kernel name, where it has one.
    pub cxi: Option<String>,
    /// Its interface as the container sees it.
    pub netdev: Option<String>,
    /// `accepted`, `refused`, `unknown`; `absent` for a NIC that the container does not have.
    pub verdict: &'static str,
    /// About this NIC alone.
    pub findings: Vec<ContainerFinding>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerReport {
    /// In the order of the node.
    pub nics: Vec<NicReport>,
    /// About all NICs of the container.
    pub findings: Vec<ContainerFinding>,
}

impl ContainerReport {
    /// Whether each NIC that the container has would be accepted, and it has one, and none that it was not given.
    pub fn is_good(&self) -> bool {
        let has_others = self.findings.iter().any(|finding| finding.kind == NOT_GIVEN);
        !has_others
            && self.nics.iter().any(|nic| nic.verdict != "absent")
            && self.nics.iter().all(|nic| nic.verdict != "refused")
    }
}

/// Judges.
pub fn judge(container: &ContainerFacts, views: &[NicInContainer], services: &ServicesOfNics) -> ContainerReport {
    let environment = container.environment.clone().unwrap_or_default();
    let promised: Vec<String> = parse::promised(&environment).iter().map(ToString::to_string).collect();
    let is_given =
        |view: &NicInContainer| matches!(view.node, Ok(Some(_)) | Err(_)) || promised.contains(&view.nic.address);
    let given = views.iter().any(is_given);
    let mut findings = container_findings(container, &environment, views);
    let unknown = service::not_known(views.iter().filter(|view| is_given(view)), services);
    findings.extend(unknown.map(|reason| ContainerFinding::unknown("cxi-service", reason)));
    if !given {
        findings.insert(
            0,
            ContainerFinding::fail("no-node", "no /dev/cxiN of this node is in the container"),
        );
    }
    let is_refused = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    let nics = views.iter().map(|view| {
        let findings = if is_given(view) {
            let mut findings = nic_findings(container, &environment, &promised, view);
            let refusal = service::refusal(container, &environment, view, services);
            findings.extend(refusal.map(|reason| ContainerFinding::fail("cxi-service", reason)));
            findings
        } else {
            Vec::new()
        };
        let worst = findings.iter().map(|finding| finding.verdict).max();
        NicReport {
            address: view.nic.address.clone(),
            cxi: view.nic.cxi.clone(),
            netdev: view.nic.netdev.clone(),
            verdict: match worst {
                _ if !is_given(view) => "absent",
                Some(Verdict::Fail) => "refused",
                _ if is_refused => "refused",
                Some(Verdict::Unknown) => "unknown",
                _ => "accepted",
            },
            findings,
        }
    });
    let nics = nics.collect();
    ContainerReport { nics, findings }
}

/// What holds for all NICs.
fn container_findings(
    container: &ContainerFacts,
    environment: &BTreeMap<String, String>,
    views: &[NicInContainer],
) -> Vec<ContainerFinding> {
    let mut findings = Vec::new();
    if let Err(read_error) = &container.class {
        let reason = format!("the container's /sys does not show the NICs, so libcxi finds none ({read_error})");
        findings.push(ContainerFinding::fail("sysfs", reason));
    }
    match &container.memlock {
        Ok(None) => {}
        Ok(Some(bytes)) => findings.push(ContainerFinding::fail(
            "memlock",
            format!(
                "memory cannot be registered with the NIC beyond {}: Max locked memory is not unlimited",
                size(*bytes)
            ),
        )),
        Err(read_error) => findings.push(ContainerFinding::unknown("memlock", read_error)),
    }
    findings.extend(library_findings(&container.libraries));
    findings.extend(readable::finding(&container.library_files, &container.identity));
    if let Err(read_error) = &container.environment {
        findings.push(ContainerFinding::unknown("environment", read_error));
    }
    findings.extend(variables::findings(container, environment, views));
    findings
}

fn size(bytes: u64) -> String {
    if bytes >= 1024 && bytes.is_multiple_of(1024) {
        format!("{} KiB", bytes / 1024)
    } else {
        format!("{bytes} bytes")
    }
}

/// What an image makes of the host's libraries, as for images that do not run yet.
fn library_findings(facts: &image::ImageFacts) -> Vec<ContainerFinding> {
    let result = image::load_result(facts);
    // What does not keep libfabric from loading is worth a look only.
    let verdict = if result.loads { Verdict::Warn } else { Verdict::Fail };
    let finding = |LibraryFinding { kind, text }: LibraryFinding| ContainerFinding::new(verdict, kind, text);
    let mut findings: Vec<ContainerFinding> = image::findings(facts).into_iter().map(finding).collect();
    if findings.is_empty() && !result.loads {
        findings.push(ContainerFinding::fail(
            "not-found",
            "libfabric.so.1 does not load in this container",
        ));
    }
    findings
}

/// What holds for a NIC that the container has or was promised.
fn nic_findings(
    container: &ContainerFacts,
    environment: &BTreeMap<String, String>,
    promised: &[String],
    view: &NicInContainer,
) -> Vec<ContainerFinding> {
    let mut findings = Vec::new();
    match &view.node {
        Err(read_error) => findings.push(ContainerFinding::unknown("node", read_error)),
        Ok(None) => findings.push(ContainerFinding::fail(
            "no-node",
            "the container was promised this NIC and has no device node of it",
        )),
        Ok(Some(node)) => {
            findings.extend(old_name_finding(view, promised));
            findings.extend(node_finding(node, view.numbers, &container.identity));
        }
    }
    if container.class.is_ok() {
        findings.extend(seen(&view.in_class, "sysfs", "/sys/class/cxi_user does not show it"));
        findings.extend(seen(
            &view.has_resource,
            "sysfs",
            "its resource0 is not in the container's /sys",
        ));
    }
    findings.extend(netdev_findings(container, environment, view));
    let cxi = view.nic.cxi.as_deref();
    if let Some((variable, wanted)) = cxi.and_then(|cxi| variables::other_devices(cxi, environment)) {
        let reason = format!("libfabric is told to use others: {variable}={wanted}");
        findings.push(ContainerFinding::fail("device-name", reason));
    }
    findings
}

fn seen(reading: &Reading<bool>, kind: &'static str, otherwise: &str) -> Option<ContainerFinding> {
    match reading {
        Ok(true) => None,
        Ok(false) => Some(ContainerFinding::fail(kind, otherwise)),
        Err(read_error) => Some(ContainerFinding::unknown(kind, read_error)),
    }
}

/// The node that is there: another one, or one that cannot be opened for reading and writing.
fn node_finding(node: &NodeInContainer, host: Option<(u64, u64)>, who: &Identity) -> Option<ContainerFinding> {
    node_fault(node, host, who).map(|(kind, reason)| ContainerFinding::fail(kind, reason))
}

/// Kubelet repeats the answer that it was given when the pod came, over reboots, too, and the NIC has another number by now.
fn old_name_finding(view: &NicInContainer, promised: &[String]) -> Option<ContainerFinding> {
    let (old, address) = (view.old_name.as_ref()?, &view.nic.address);
    let whose = if promised.is_empty() || promised.contains(address) {
        "your"
    } else {
        "another pod's"
    };
    let now = view.nic.cxi.as_deref().unwrap_or("cxiN");
    let reason = format!("{old} in this container is {whose} NIC {address}, the host's {now}: delete the pod");
    Some(ContainerFinding::fail("old-name", reason))
}

/// libfabric's tests behind libcxi's, and the NIC's own state, which no container mends.
fn netdev_findings(
    container: &ContainerFacts,
    environment: &BTreeMap<String, String>,
    view: &NicInContainer,
) -> Vec<ContainerFinding> {
    let is_skipped = |variable: &str| environment.contains_key(variable);
    let sees_netdev = match &view.has_netdev {
        _ if container.class.is_err() => None, // libfabric does not come that far
        Ok(true) => None,
        Ok(false) if container.in_host_network == Ok(false) => Some(ContainerFinding::fail(
            "netdev-view",
            "its netdev is not in the container's /sys/class/net, which shows a network namespace of the container's own",
        )),
        Ok(false) => Some(ContainerFinding::fail(
            "netdev-view",
            "its netdev is not in the container's /sys/class/net",
        )),
        Err(read_error) => Some(ContainerFinding::unknown("netdev-view", read_error)),
    };
    let blind = view.has_netdev != Ok(true);
    let conditions = view
        .nic
        .conditions
        .iter()
        .map(|status| &status.condition)
        .filter_map(|condition| {
            let verdict = match condition.check {
                // An admin's order is about new pods.
                Check::Cordoned => return None,
                Check::RetryHandler if is_skipped("CXIP_SKIP_RH_CHECK") => return None,
                Check::FabricAddress if is_skipped("CXIP_SKIP_AMA_CHECK") => return None,
                Check::FabricAddress | Check::NetdevUp if blind && condition.verdict != Verdict::Fail => return None,
                // What is worth a look on the node: libfabric takes no NIC whose netdev is not up (`cxip_get_if`).
                Check::NetdevUp if condition.verdict == Verdict::Warn => Verdict::Fail,
                _ => condition.verdict,
            };
            (verdict == Verdict::Fail).then(|| ContainerFinding::from_condition(condition, verdict, view))
        });
    sees_netdev.into_iter().chain(conditions).collect()
}
