//! Netdevs that the host uses, and CNI plugins that would take them away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::facts::{Above, NodeFacts, TextFile};
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::nic::inventory::Nic;

/// Scope of IPv6 addresses that every interface has by itself (`IPV6_ADDR_LINKLOCAL`).
const LINK_SCOPE: &str = "20";
/// Nested deeper than any CNI configuration.
const DEPTH: usize = 16;

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    let network = &facts.network;
    for file in [&network.routes, &network.routes6, &network.addresses6] {
        examination.known("host's routes and addresses", &file.text);
    }
    examination.known("CNI configuration", &network.cni);
    for file in network.cni.iter().flatten() {
        if file.known().is_some_and(|text| types(text).is_err()) {
            examination.unknown(file.path.display(), "not JSON");
        }
    }
    let Some(multus) = configured(facts, |kind| kind.starts_with("multus")) else {
        return;
    };
    examination.found(
        (FindingId::MultusConfigured, Level::Note),
        multus.path.display(),
        "Multus is configured; its networks (NetworkAttachmentDefinitions) are in the cluster, not on this node",
        vec![Evidence::new(&multus.path, "type multus")],
        "for the netdev of an allocated NIC, a network of type host-device needs the annotation \
         k8s.v1.cni.cncf.io/resourceName: beta.hpe.com/cxi",
    );
    used_by_host(facts, examination);
}

/// Whether pods may get netdevs of the host.
pub(super) fn has_multus(facts: &NodeFacts) -> bool {
    configured(facts, |kind| kind.starts_with("multus")).is_some()
}

/// The first CNI configuration with a plugin of this type.
fn configured(facts: &NodeFacts, is_meant: impl Fn(&str) -> bool) -> Option<&TextFile> {
    let mut files = facts.network.cni.iter().flatten();
    files.find(|file| {
        let types = file.known().map(types);
        types.is_some_and(|types| types.is_ok_and(|types| types.iter().any(|kind| is_meant(kind))))
    })
}

fn used_by_host(facts: &NodeFacts, examination: &mut Examination) {
    let nics = facts.inventory.iter().flat_map(|inventory| &inventory.nics);
    let uses = uses(facts);
    let evidence: Vec<(String, Vec<Evidence>)> = nics
        .flat_map(Nic::interfaces)
        .filter_map(|netdev| Some((netdev.to_owned(), use_of(netdev, &facts.network.above, &uses)?)))
        .collect();
    if evidence.is_empty() {
        return;
    }
    let names: Vec<&str> = evidence.iter().map(|(name, _)| name.as_str()).collect();
    let host_device = configured(facts, |kind| kind == "host-device");
    let level = host_device.map_or(Level::Note, |_| Level::Warning);
    let which = host_device.map_or_else(
        || "a network of type host-device, if the cluster has one, would take them from the host".to_owned(),
        |file| format!("host-device of {} takes them from the host", file.path.display()),
    );
    examination.found(
        (FindingId::NetdevUsedByHost, level),
        names.join(", "),
        format!("the host uses these netdevs, by addresses or routes on them or on a device above; {which}, with all that goes \
                 over them"),
        evidence.into_iter().flat_map(|(_, evidence)| evidence).collect(),
        "use hostNetwork: true, or VFs, or keep NICs with host traffic out of that network",
    );
}

/// How the host uses a netdev: by an address or route on it or on whatever is above it, with the way there; else by having made
/// it a part of another device, such as a VRF, whose routes are in no table that is read here.
fn use_of(netdev: &str, above: &BTreeMap<String, Above>, uses: &BTreeMap<&str, Evidence>) -> Option<Vec<Evidence>> {
    let mut ways = VecDeque::from([(netdev, Vec::new())]);
    let mut seen = BTreeSet::new();
    let mut part_of = None;
    while let Some((device, way)) = ways.pop_front() {
        if let Some(used) = uses.get(device) {
            return Some([way, vec![used.clone()]].concat());
        }
        let Some(Above {
            directory,
            uppers,
            master,
        }) = above.get(device).filter(|_| seen.insert(device))
        else {
            continue;
        };
        if let (Some(master), None) = (master, &part_of) {
            part_of = Some([way.clone(), vec![Evidence::new(directory.join("master"), master)]].concat());
        }
        for upper in uppers {
            let link = Evidence::new(directory.join(format!("upper_{upper}")), upper);
            ways.push_back((upper.as_str(), [way.clone(), vec![link]].concat()));
        }
    }
    part_of
}

/// Interfaces with an address or a route of the host, each with the first line that says so.
fn uses(facts: &NodeFacts) -> BTreeMap<&str, Evidence> {
    let network = &facts.network;
    let mut uses = BTreeMap::new();
    let mut add = |file: &TextFile, name, line: &str| {
        let evidence = || Evidence::new(&file.path, line.split_whitespace().collect::<Vec<_>>().join(" "));
        uses.entry(name).or_insert_with(evidence);
    };
    for (line, fields) in lines(&network.routes).skip(1) {
        if let [name, ..] = fields.as_slice() {
            add(&network.routes, *name, line);
        }
    }
    for (line, fields) in lines(&network.addresses6) {
        if let [_, _, _, scope, _, name] = fields.as_slice()
            && *scope != LINK_SCOPE
        {
            add(&network.addresses6, *name, line);
        }
    }
    for (line, fields) in lines(&network.routes6) {
        if let [target, .., name] = fields.as_slice()
            && !target.starts_with("fe80")
            && !target.starts_with("ff")
        {
            add(&network.routes6, *name, line);
        }
    }
    uses
}

fn lines(file: &TextFile) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let lines = file.known().unwrap_or_default().lines();
    lines.map(|line| (line, line.split_whitespace().collect()))
}

/// Types of all plugins in a configuration, also of those that a plugin delegates to.
pub fn types(text: &str) -> Result<Vec<String>, serde_json::Error> {
    let mut types = Vec::new();
    collect(&serde_json::from_str(text)?, DEPTH, &mut types);
    Ok(types)
}

fn collect(value: &Value, depth: usize, types: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Object(members) => {
            types.extend(members.get("type").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect(value, depth - 1, types));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, depth - 1, types)),
        _ => {}
    }
}
