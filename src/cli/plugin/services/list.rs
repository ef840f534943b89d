//! `services list`: what the driver says, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;

use super::args::ListArgs;
use super::default_service;
use super::ours::{self, OfPod};
use super::targets::{Target, Targets};
use crate::cli::exit::{self, Ended};
use crate::cli::plugin::node_view::ago;
use crate::cli::terminal::output::{self, Audience, BAD, GOOD, HEADING, WARNING, paint, visible};
use crate::cli::terminal::table::{Cell, plain, table};
use crate::host::clock::unix_seconds;
use crate::host::device::namespaces::{self, Resident};
use crate::host::device::{asking, endings, groups, survey};
use crate::host::files::roots::Roots;
use crate::model::services::admission::{self, Admission, Asker};
use crate::model::services::descriptor::{Member, Resource};
use crate::model::services::lingering::{self, Lingering};
use crate::model::services::refused::Refused;
use crate::model::services::room::{self, Pools};
use crate::model::services::service::{Origin, Service};

/// For programs.
#[derive(Serialize)]
struct Listed {
    nics: Vec<NicServices>,
    /// The network namespaces that are members, each with a process that is in it; as far as we may look.
    namespaces: BTreeMap<u32, Resident>,
}

/// Of one NIC.
#[derive(Serialize)]
struct NicServices {
    address: String,
    cxi: String,
    netdev: Option<String>,
    /// Null where the NIC could not be asked.
    services: Option<Vec<Service>>,
    /// Why it could not.
    unknown: Option<Refused>,
    plain_pod: Option<PlainPod>,
    pools_left: Option<Pools>,
    /// Those whose end the driver has refused.
    ending: Vec<Lingering>,
    /// Whether the default service was switched off in this life of the NIC, so that cxi-default-service@.service leaves it off.
    default_stays_off: bool,
    /// The services that cxi-isolation.service has made, each with its pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    of_pods: Vec<OfPod>,
    #[serde(skip)]
    called: String,
}

/// Whether a pod could use the NIC of which no more is known than the configuration says of all of them.
#[derive(Serialize)]
struct PlainPod {
    /// Its user; null: any.
    uid: Option<u32>,
    /// Its group; null: any.
    gid: Option<u32>,
    /// By which service; null: by none.
    service: Option<u32>,
    /// Why not.
    reason: Option<String>,
}

/// Lists them; those of these NICs, if any are named.
pub(super) fn run(args: &ListArgs, names: &[String]) -> anyhow::Result<Ended> {
    let targets = Targets::find(&args.node)?;
    let roots = targets.roots.clone();
    let chosen = match names {
        [] => targets.all.clone(),
        names => targets.named(names)?,
    };
    let asked = targets.ask(chosen, asking::PATIENCE, move |commands, target| {
        survey::services(commands, &groups::names(&roots, target.cxi))
    });
    let beside = Beside {
        pod: targets.pod,
        endings: endings::directory(&targets.run_dir),
        stamps: default_service::of_unit(&args.node),
        roots: targets.roots.clone(),
    };
    let nics: Vec<NicServices> = asked
        .into_iter()
        .map(|(target, told)| nic(target, told, &beside))
        .collect();
    let listed = Listed {
        namespaces: namespaces::residents(&targets.roots, &members(&nics)),
        nics,
    };
    match args.output {
        Audience::Json => output::json(&listed)?,
        Audience::Table => output::styled(&described(&listed))?,
    }
    let unknown: Vec<&NicServices> = listed.nics.iter().filter(|nic| nic.services.is_none()).collect();
    if args.output == Audience::Json {
        for nic in &unknown {
            exit::warn(&format!("{}: its services are not known: {}", nic.called, reason(nic)));
        }
    }
    if unknown.is_empty() {
        Ok(Ended::Done)
    } else {
        anyhow::bail!("{} of {} NICs could not be asked", unknown.len(), listed.nics.len())
    }
}

/// Why it could not be asked.
fn reason(nic: &NicServices) -> String {
    nic.unknown.iter().map(ToString::to_string).collect()
}

/// What is known beside the driver's word.
struct Beside {
    pod: Asker,
    endings: PathBuf,
    stamps: PathBuf,
    roots: Roots,
}

fn nic(target: Target, told: Result<Vec<Service>, Refused>, beside: &Beside) -> NicServices {
    let pod = beside.pod;
    let cxi = target.cxi.to_string();
    let plain_pod = told.as_ref().ok().map(|services| {
        let (service, reason) = match admission::judge(services, pod, &BTreeMap::new(), &cxi) {
            Admission::Admitted { service, .. } => (Some(service), None),
            Admission::Refused { reason, .. } => (None, Some(reason)),
        };
        let Asker { uid, gid, .. } = pod;
        PlainPod {
            uid,
            gid,
            service,
            reason,
        }
    });
    let ending = match (&told, &target.life, target.address.parse()) {
        (Ok(services), Some(life), Ok(address)) => {
            lingering::ending(&endings::of(&beside.endings, address), life, services).collect()
        }
        _ => Vec::new(),
    };
    NicServices {
        pools_left: told.as_ref().ok().map(|services| room::pools_left(services)),
        plain_pod,
        unknown: told.as_ref().err().cloned(),
        default_stays_off: told
            .as_ref()
            .is_ok_and(|services| default_service::stays_off(&beside.stamps, &target, services)),
        of_pods: told.as_ref().map_or_else(
            |_| Vec::new(),
            |services| ours::of_pods(&beside.roots, &target.address, services),
        ),
        services: told.ok(),
        ending,
        address: target.address,
        cxi,
        netdev: target.netdev,
        called: target.called,
    }
}

/// The namespaces that services admit.
fn members(nics: &[NicServices]) -> BTreeSet<u32> {
    let services = nics.iter().flat_map(|nic| nic.services.iter().flatten());
    let members = services.flat_map(|service| service.members().unwrap_or_default());
    members
        .filter_map(|member| match member {
            Member::Netns(netns) => Some(netns),
            _ => None,
        })
        .collect()
}

fn described(listed: &Listed) -> String {
    if listed.nics.is_empty() {
        return "no NIC has a device node: cxi-device-plugin devices\n".to_owned();
    }
    let described = listed.nics.iter().map(|nic| {
        let text = match &nic.services {
            Some(services) => of_nic(nic, services, &listed.namespaces),
            None => paint(BAD, &format!("its services are not known: {}", reason(nic))) + "\n",
        };
        paint(HEADING, &nic.called) + "\n" + &text
    });
    described.collect::<Vec<_>>().join("\n")
}

fn of_nic(nic: &NicServices, services: &[Service], namespaces: &BTreeMap<u32, Resident>) -> String {
    let row = |service: &Service| {
        let [kind, state] = kind_and_state(service);
        let state = match nic.ending.iter().find(|ending| ending.service == service.id()) {
            Some(Lingering { since, .. }) => (
                WARNING,
                format!("{}, to end for {}", state.1, ago(*since, unix_seconds())),
            ),
            None => state,
        };
        [
            plain(service.id()),
            kind,
            state,
            plain(match nic.of_pods.iter().find(|its| its.service == service.id()) {
                Some(its) => visible(&format!("pod {}", its.sandbox)),
                None => whom(service, namespaces),
            }),
            plain(vnis(service)),
            plain(traffic_classes(service)),
        ]
    };
    let mut text = table(
        ["ID", "KIND", "STATE", "FOR", "VNIS", "TRAFFIC CLASSES"],
        services.iter().map(row).collect(),
    );
    text += "\n";
    text += &limits(services);
    text += "\n";
    if let Some(pod) = &nic.plain_pod {
        let whose = match (pod.uid, pod.gid) {
            (None, None) => "a plain pod".to_owned(),
            (uid, gid) => Asker { uid, gid, netns: None }.to_string(),
        };
        text += &match (pod.service, &pod.reason) {
            (Some(id), _) => paint(GOOD, &format!("{whose} can use it, by service {id}")),
            (None, reason) => paint(
                WARNING,
                &format!("{whose} cannot use it: {}", reason.as_deref().unwrap_or_default()),
            ),
        };
        text += "\n";
    }
    if nic.default_stays_off {
        text += &format!(
            "the default service was switched off in this life of the NIC, so cxi-default-service@.service leaves it off; to switch it on: \
             cxi-device-plugin services enable-default {}\n",
            nic.address
        );
    }
    if let Some(pools) = nic.pools_left.filter(|pools| pools.tle == 0) {
        text += &paint(
            WARNING,
            &format!(
                "no pool of trigger list entries is left ({} of {} in use): a new service must say that it wants none",
                room::TLE_POOLS - pools.tle,
                room::TLE_POOLS
            ),
        );
        text += "\n";
    }
    text
}

fn kind_and_state(service: &Service) -> [Cell; 2] {
    let kind = match &service.origin {
        Origin::Default => "default".to_owned(),
        Origin::Configfs(None) => "configfs".to_owned(),
        Origin::Configfs(Some(name)) => format!("configfs {name}"),
        Origin::Command if service.descriptor.system => "system".to_owned(),
        Origin::Command => "service".to_owned(),
    };
    let kind = match (&service.origin, service.descriptor.system) {
        (Origin::Configfs(_), true) => format!("{kind}, system"),
        _ => kind,
    };
    let state = match (service.descriptor.enabled, service.is_open()) {
        (true, true) => (WARNING, "on, open".to_owned()),
        (true, false) => (GOOD, "on".to_owned()),
        (false, _) => plain("off"),
    };
    [plain(kind), state]
}

fn whom(service: &Service, namespaces: &BTreeMap<u32, Resident>) -> String {
    let Some(members) = service.members().filter(|members| !members.is_empty()) else {
        return admission::listed(service);
    };
    let said = members.iter().map(|member| match member {
        Member::Uid(id) => format!("uid {id}"),
        Member::Gid(id) => format!("gid {id}"),
        Member::Unknown(id) => format!("unknown kind {id}"),
        Member::Netns(id) => match namespaces.get(id) {
            Some(Resident { pid, command }) => format!("netns {id} (pid {pid}, {command})"),
            None => format!("netns {id} (nobody seen in it)"),
        },
    });
    said.collect::<Vec<_>>().join(", ")
}

fn vnis(service: &Service) -> String {
    match (&service.vni_range, &service.origin) {
        _ if service.descriptor.restricted_vnis => {
            let vnis = service.descriptor.vnis.iter().map(ToString::to_string);
            vnis.collect::<Vec<_>>().join(" ")
        }
        // Only these can have communication profiles for themselves.
        (Ok(Some(range)), _) => {
            let own = match service.exclusive_cp {
                Ok(Some(true)) => " exclusive",
                _ => "",
            };
            format!("{}-{}{own}", range.first, range.last)
        }
        (_, Origin::Configfs(_)) => "by configfs".to_owned(),
        (Ok(None), _) => "none yet".to_owned(),
        (Err(_), _) => "not known".to_owned(),
    }
}

fn traffic_classes(service: &Service) -> String {
    if !service.descriptor.restricted_tcs {
        return "all".to_owned();
    }
    service.descriptor.traffic_classes().join(" ").to_lowercase()
}

/// In use, reserved and most of each resource.
fn limits(services: &[Service]) -> String {
    let row = |service: &Service| {
        let uses: BTreeMap<Resource, Cell> = service
            .resources()
            .map(|used| {
                let in_use = used.in_use.map_or("-".to_owned(), |count| count.to_string());
                let style = match used.in_use {
                    Some(count) if used.max > 0 && count >= used.max => BAD,
                    _ => plain("").0,
                };
                (
                    used.resource,
                    (style, format!("{in_use}/{}/{}", used.reserved, used.max)),
                )
            })
            .collect();
        let cell = |resource| uses.get(&resource).cloned().unwrap_or_else(|| plain(""));
        let [pte, txq, tgq, eq, ct, le, tle, ac] = Resource::ALL.map(cell);
        [plain(service.id()), pte, txq, tgq, eq, ct, le, tle, ac]
    };
    let headings = ["ID", "PTES", "TXQS", "TGQS", "EQS", "CTS", "LES", "TLES", "ACS"];
    "in use/reserved/most of each resource:\n".to_owned() + &table(headings, services.iter().map(row).collect())
}
