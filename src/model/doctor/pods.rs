//! Pods: which hold one NIC together, one that is gone, or one that they were not given.

use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use super::nics;
use crate::model::container::{HeldNode, PodContainer};
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;
use crate::model::pods::{Conflict, Holder, Holdings, PodName, Unlisted};
use crate::model::printable::shell_word;

/// Containers that are named in one note.
const NAMED: usize = 8;

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    match &facts.pods {
        Ok(holdings) => {
            for conflict in holdings.conflicts() {
                held_twice(facts, &conflict, examination);
            }
            held_and_gone(facts, holdings, examination);
        }
        // Without kubelet there are no pods.
        Err(Unlisted::NoSocket) => {}
        Err(reason) => examination.unknown("which pod holds which NIC", reason),
    }
    containers(facts, examination);
}

fn held_twice(facts: &NodeFacts, conflict: &Conflict<'_>, examination: &mut Examination) {
    let pods = listed(conflict.holders);
    let (level, what) = if conflict.is_certain {
        (
            Level::Problem,
            format!("kubelet has given it to several pods, which are there all: {pods}"),
        )
    } else {
        (
            Level::Warning,
            format!(
                "kubelet lists several pods that hold it: {pods}; this kubelet cannot be asked which of them are there (one \
                 before 1.34 may list finished pods)"
            ),
        )
    };
    let names = conflict.holders.iter().map(|holder| &holder.name);
    examination.found(
        (FindingId::NicHeldTwice, level),
        called(facts, conflict.nic),
        what,
        Vec::new(),
        format!(
            "{} ; if they run, delete all but one, and see kubelet's log of the time when they were admitted",
            kubectl("get", names)
        ),
    );
}

/// A NIC that was pulled or is passed to a virtual machine, and whose pod is still there.
fn held_and_gone(facts: &NodeFacts, holdings: &Holdings, examination: &mut Examination) {
    let Ok(inventory) = &facts.inventory else { return };
    let is_here = |nic: PciAddress| inventory.nics.iter().any(|here| here.address == nic);
    for (nic, holders) in holdings.iter().filter(|(nic, _)| !is_here(*nic)) {
        examination.found(
            (FindingId::NicHeldAndGone, Level::Warning),
            nic,
            format!("a pod holds it, and it is not on this node: {}", listed(holders)),
            Vec::new(),
            format!(
                "if it does not come back: {}",
                kubectl("delete", holders.iter().map(|holder| &holder.name))
            ),
        );
    }
}

fn containers(facts: &NodeFacts, examination: &mut Examination) {
    let mut untold = Vec::new();
    for container in &facts.containers.containers {
        let unread = [
            container.given.given.as_ref().err(),
            container.given.held.as_ref().err(),
        ];
        for read_error in unread.into_iter().flatten() {
            examination.unknown(subject(container), read_error);
        }
        let Some(unfitting) = container.given.unfitting() else {
            continue;
        };
        match unfitting.not_given.as_slice() {
            [] => {}
            nodes if container.given.is_told() => not_given(facts, container, nodes, examination),
            nodes => untold.push((container, nodes.to_vec())),
        }
        if !unfitting.lacking.is_empty() {
            lacking(container, &unfitting.lacking, examination);
        }
    }
    if !untold.is_empty() {
        privileged(&untold, examination);
    }
    let found = &facts.containers;
    for read_error in found.unseen.iter().chain(&found.hanging) {
        examination.unknown("containers of pods", read_error);
    }
    if found.is_cut {
        let count = found.containers.len();
        examination.unknown(
            "containers of pods",
            format!("there are more than the {count} that were looked at"),
        );
    }
}

fn not_given(facts: &NodeFacts, container: &PodContainer, nodes: &[HeldNode], examination: &mut Examination) {
    let owner = |nic| {
        let holders = facts.pods.iter().flat_map(|pods| pods.of(nic));
        holders.map(|holder| &holder.name).collect::<Vec<_>>()
    };
    let own = own_pod(facts, container);
    let node = |node: &HeldNode| {
        let owners: Vec<&PodName> = owner(node.nic).into_iter().filter(|name| Some(*name) != own).collect();
        let given = match owners.as_slice() {
            [] => String::new(),
            owners => format!(" (kubelet has given it to {})", joined(owners)),
        };
        format!("{} is {}{given}", node.path, called(facts, node.nic))
    };
    let whose = own.map_or_else(|| "of a pod".to_owned(), |pod| format!("of {pod}"));
    let has: Vec<String> = nodes.iter().map(node).collect();
    examination.found(
        (FindingId::NicNotGiven, Level::Warning),
        subject(container),
        format!(
            "a container {whose} has device nodes of NICs that its {} does not name: {}",
            container.given.variable,
            has.join("; ")
        ),
        evidence(container, nodes),
        format!(
            "cxi-device-plugin explain --pid {} ; delete the pod: a container keeps the nodes that it was made with",
            container.pid
        ),
    );
}

fn lacking(container: &PodContainer, nics: &[PciAddress], examination: &mut Examination) {
    let names: Vec<String> = nics.iter().map(ToString::to_string).collect();
    examination.found(
        (FindingId::NicGivenAndMissing, Level::Warning),
        subject(container),
        format!(
            "a container of a pod was given {} by its {} and has no device node of that",
            names.join(", "),
            container.given.variable
        ),
        evidence(container, &[]),
        format!(
            "cxi-device-plugin explain --pid {} ; delete the pod: a container keeps the nodes that it was made with; if the next \
             one has none either, the runtime does not know CDI",
            container.pid
        ),
    );
}

/// Nobody can tell such a container from one that is meant to see everything.
fn privileged(containers: &[(&PodContainer, Vec<HeldNode>)], examination: &mut Examination) {
    let evidence = |(container, nodes): &(&PodContainer, Vec<HeldNode>)| {
        let paths: Vec<&str> = nodes.iter().map(|node| node.path.as_str()).collect();
        Evidence::new(
            format!("/proc/{}/root/dev", container.pid),
            format!("{} of {}", paths.join(", "), container.command),
        )
    };
    examination.found(
        (FindingId::NicNotGiven, Level::Note),
        "containers of pods",
        format!(
            "{} have device nodes of NICs and were given none: privileged ones have, and those that mount the host's /dev",
            containers.len()
        ),
        containers.iter().take(NAMED).map(evidence).collect(),
        "nothing, if they are part of the cluster; a pod that uses a NIC should ask for it under resources.limits",
    );
}

fn evidence(container: &PodContainer, nodes: &[HeldNode]) -> Vec<Evidence> {
    let folder = format!("/proc/{}", container.pid);
    let nics = container.given.given.iter().flatten().flatten();
    let value: Vec<String> = nics.map(ToString::to_string).collect();
    let variable = format!("{}={}", container.given.variable, value.join(","));
    let nodes = nodes
        .iter()
        .map(|node| Evidence::new(format!("{folder}/root{}", node.path), node.nic));
    [Evidence::new(format!("{folder}/environ"), variable)]
        .into_iter()
        .chain(nodes)
        .chain([Evidence::new(format!("{folder}/cgroup"), &container.cgroup)])
        .collect()
}

/// By its variable, which is its own to change, and only if kubelet has given just this to a single pod.
fn own_pod<'a>(facts: &'a NodeFacts, container: &PodContainer) -> Option<&'a PodName> {
    let given = container.given.given.as_ref().ok()?.as_ref()?;
    facts.pods.as_ref().ok()?.pod_with(given)
}

fn subject(container: &PodContainer) -> String {
    format!("process {} ({})", container.pid, container.command)
}

fn called(facts: &NodeFacts, nic: PciAddress) -> String {
    let nics = facts.inventory.iter().flat_map(|inventory| &inventory.nics);
    let here: Option<&Nic> = nics.into_iter().find(|here| here.address == nic);
    here.map_or_else(|| nic.to_string(), nics::name)
}

fn listed(holders: &[Holder]) -> String {
    let names = holders.iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(", ")
}

fn joined(names: &[&PodName]) -> String {
    let names = names.iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(", ")
}

fn kubectl<'a>(verb: &str, names: impl Iterator<Item = &'a PodName>) -> String {
    let command = |name: &PodName| {
        let (namespace, pod) = (shell_word(&name.namespace), shell_word(&name.pod));
        format!("kubectl {verb} pod -n {namespace} {pod}")
    };
    names.map(command).collect::<Vec<_>>().join(" ; ")
}
