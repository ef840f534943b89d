//! Whether a process may use a NIC, by its services. Two decide: libfabric, which picks a service or is told one, and the driver,
//! which looks whether that one admits the process.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::descriptor::Member;
use super::service::Service;

/// Who asks, to the driver. All numbers are the host's: in a user namespace those that the ids map to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asker {
    /// User; none for any user whose number is not known.
    pub uid: Option<u32>,
    /// The group that the process has as its own; further ones do not count.
    pub gid: Option<u32>,
    /// Network namespace.
    pub netns: Option<u32>,
}

/// A pod of which no more is known.
impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.uid, self.gid) {
            (None, None) => f.write_str("a pod of any user"),
            (Some(uid), None) => write!(f, "a pod of user {uid}"),
            (None, Some(gid)) => write!(f, "a pod of group {gid}"),
            (Some(uid), Some(gid)) => write!(f, "a pod of user {uid} and group {gid}"),
        }
    }
}

/// By what a process is admitted, in libfabric's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Its network namespace. Libfabric looks for it since 2.5.0.
    Netns,
    /// Its user.
    Uid,
    /// Its group.
    Gid,
    /// Everybody is.
    Everybody,
}

impl Way {
    /// In a sentence that begins with the service.
    pub fn words(self) -> &'static str {
        match self {
            Self::Netns => "by its network namespace",
            Self::Uid => "by its user",
            Self::Gid => "by its group",
            Self::Everybody => "as it admits everybody",
        }
    }
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum Admission {
    /// This service would be used.
    Admitted {
        /// Its number.
        service: u32,
        /// By what.
        way: Way,
        /// Why libfabric goes by a search although variables name a service.
        #[serde(skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
    },
    /// None would.
    Refused {
        /// Why, in a pod author's words.
        reason: String,
        /// What `fi_domain` returns then.
        error: &'static str,
    },
}

/// What fi_domain answers where no service fits (ENOSYS), or a named one does not admit.
const NO_SERVICE: &str = "-38 (Function not implemented)";
const NAMED_REFUSED: &str = "-22 (Invalid argument)";

/// Of the services of the NIC `cxi`, for a process with this environment.
pub fn judge(services: &[Service], asker: Asker, environment: &BTreeMap<String, String>, cxi: &str) -> Admission {
    judge_within(services, asker, asker, environment, cxi)
}

/// The same for a process that has other numbers for its user and group than the host: libfabric searches by those.
pub fn judge_within(
    services: &[Service],
    asker: Asker,
    seen: Asker,
    environment: &BTreeMap<String, String>,
    cxi: &str,
) -> Admission {
    let remark = match named(environment, cxi) {
        Named::Nothing => None,
        Named::Useless(why) => Some(why),
        Named::Service(id) => return by_name(services, asker, id),
    };
    let Some((service, _)) = search(services, seen) else {
        let reason = why_none(services);
        return Admission::Refused {
            reason: match search(services, asker) {
                Some((service, _)) => format!(
                    "{} (service {} is for {})",
                    by_seen(seen),
                    service.id(),
                    listed(service)
                ),
                None => reason,
            },
            error: NO_SERVICE,
        };
    };
    match way_into(service, asker) {
        Some(way) => Admission::Admitted {
            service: service.id(),
            way,
            remark,
        },
        None => Admission::Refused {
            reason: format!(
                "{}: it takes service {}, which is for {} of the host",
                by_seen(seen),
                service.id(),
                listed(service)
            ),
            error: NAMED_REFUSED,
        },
    }
}

/// Where the two differ. What helps is the same in both cases.
fn by_seen(seen: Asker) -> String {
    let number = |number: Option<u32>| number.map_or("unknown".to_owned(), |number| number.to_string());
    format!(
        "libfabric looks for a service by the ids that the process has in its user namespace (user {}, group {}), and the driver \
         admits by those of the host, so only a service for its network namespace or for everybody, or one that SLINGSHOT_SVC_IDS \
         names, is of use",
        number(seen.uid),
        number(seen.gid)
    )
}

/// Whether a pod about which nothing is known but these numbers could use the NIC, and by which service.
pub fn for_plain_pod(services: &[Service], asker: Asker) -> Option<&Service> {
    search(services, asker).map(|(service, _)| service)
}

/// As libfabric searches: from the end of the list, and of what fits the best way.
fn search(services: &[Service], asker: Asker) -> Option<(&Service, Way)> {
    let offered = services.iter().rev().filter(|service| service.is_offered());
    let fitting = offered.filter_map(|service| Some((service, way_into(service, asker)?)));
    // Of equals the first, as min_by_key has it.
    fitting.min_by_key(|(_, way)| *way)
}

/// By what a service admits the process, whatever its state.
fn way_into(service: &Service, asker: Asker) -> Option<Way> {
    let Some(members) = service.members() else {
        return Some(Way::Everybody);
    };
    let is_me = |member: &Member| match *member {
        Member::Netns(netns) => (asker.netns == Some(netns)).then_some(Way::Netns),
        Member::Uid(uid) => (asker.uid == Some(uid)).then_some(Way::Uid),
        Member::Gid(gid) => (asker.gid == Some(gid)).then_some(Way::Gid),
        Member::Unknown(_) => None,
    };
    members.iter().filter_map(is_me).min()
}

/// One more service is of no use to who has named another.
const WITHOUT_NAMES: &str =
    "have the launcher start the process, or start it without SLINGSHOT_DEVICES, SLINGSHOT_SVC_IDS and SLINGSHOT_VNIS";

/// A service that a launcher has named: libfabric takes it without a look, and the driver decides.
fn by_name(services: &[Service], asker: Asker, id: u32) -> Admission {
    let refused = |reason| Admission::Refused {
        reason,
        error: NAMED_REFUSED,
    };
    let Some(service) = services.iter().find(|service| service.id() == id) else {
        return refused(format!(
            "SLINGSHOT_SVC_IDS names service {id}, which the NIC does not have: it was made for another job, and is gone; {WITHOUT_NAMES}"
        ));
    };
    if !service.descriptor.enabled {
        return refused(format!("SLINGSHOT_SVC_IDS names service {id}, which is off"));
    }
    match way_into(service, asker) {
        Some(way) => Admission::Admitted {
            service: id,
            way,
            remark: None,
        },
        None => refused(format!(
            "SLINGSHOT_SVC_IDS names service {id}, which does not admit this process: it is for {}; {WITHOUT_NAMES}",
            listed(service)
        )),
    }
}

/// What the launchers' variables say for a NIC.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    /// They are there, and lead nowhere; then libfabric searches.
    Useless(String),
    Service(u32),
}

/// Libfabric takes them only if all three are set and agree.
fn named(environment: &BTreeMap<String, String>, cxi: &str) -> Named {
    let [devices, ids, vnis] =
        ["SLINGSHOT_DEVICES", "SLINGSHOT_SVC_IDS", "SLINGSHOT_VNIS"].map(|name| environment.get(name));
    let (Some(devices), Some(ids), Some(_)) = (devices, ids, vnis) else {
        return match (devices, ids, vnis) {
            (None, None, None) => Named::Nothing,
            _ => {
                Named::Useless("SLINGSHOT_DEVICES, SLINGSHOT_SVC_IDS and SLINGSHOT_VNIS count only together".to_owned())
            }
        };
    };
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(',').filter(|word| !word.is_empty());
        parts.map(str::to_owned).collect()
    };
    let Some(place) = words(devices).iter().position(|device| device == cxi) else {
        return Named::Useless(format!("SLINGSHOT_DEVICES does not name {cxi}"));
    };
    match words(ids).get(place).map(|id| id.trim().parse()) {
        Some(Ok(id)) => Named::Service(id),
        _ => Named::Useless(format!("SLINGSHOT_SVC_IDS has no number for {cxi}")),
    }
}

/// Why there is none to be found.
fn why_none(services: &[Service]) -> String {
    let others: Vec<&Service> = services.iter().filter(|service| !service.descriptor.system).collect();
    let for_others: Vec<String> = others
        .iter()
        .filter(|service| service.descriptor.enabled)
        .map(|service| format!("service {} is for {}", service.id(), listed(service)))
        .collect();
    let off: Vec<String> = others
        .iter()
        .filter(|service| !service.descriptor.enabled)
        .map(|service| match service.is_default() {
            true => "the default service (1) is off".to_owned(),
            false => format!("service {} is off", service.id()),
        })
        .collect();
    let all: Vec<String> = off.into_iter().chain(for_others).collect();
    if all.is_empty() {
        "the NIC has no service but those of the host's own software".to_owned()
    } else {
        format!("no CXI service of the NIC admits it: {}", all.join("; "))
    }
}

/// Its members, for people.
pub fn listed(service: &Service) -> String {
    let Some(members) = service.members() else {
        return "everybody".to_owned();
    };
    if members.is_empty() {
        return match &service.netns {
            Err(_) => "members that this driver does not tell".to_owned(),
            Ok(_) => "nobody".to_owned(),
        };
    }
    let said = members.iter().map(|member| match member {
        Member::Uid(id) => format!("user {id}"),
        Member::Gid(id) => format!("group {id}"),
        Member::Netns(id) => format!("network namespace {id}"),
        Member::Unknown(id) => format!("member {id} of an unknown kind"),
    });
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::services::descriptor::Descriptor;
    use crate::model::services::refused::{Refused, errno};
    use crate::model::services::service::Origin;

    const EVERYBODY: &[Member] = &[];

    fn service(id: u32, enabled: bool, members: &[Member]) -> Service {
        let unknown = || {
            Err(Refused::Errno {
                command: "SVC_RSRC_GET",
                number: errno::EOPNOTSUPP,
            })
        };
        let netns = members.iter().find_map(|member| match member {
            Member::Netns(netns) => Some(*netns),
            _ => None,
        });
        Service {
            descriptor: Descriptor {
                id,
                enabled,
                restricted_members: !members.is_empty(),
                members: members
                    .iter()
                    .copied()
                    .filter(|member| !matches!(member, Member::Netns(_)))
                    .collect(),
                ..Descriptor::default()
            },
            origin: Origin::Command,
            vni_range: Ok(None),
            netns: Ok(netns),
            exclusive_cp: Ok(None),
            lnis_per_rgid: Ok(1),
            usage: unknown(),
        }
    }

    fn system(id: u32) -> Service {
        let mut made = service(id, true, EVERYBODY);
        made.descriptor.system = true;
        made
    }

    const POD: Asker = Asker {
        uid: Some(1000),
        gid: Some(100),
        netns: Some(77),
    };

    fn way(services: &[Service]) -> Option<(u32, Way)> {
        match judge(services, POD, &BTreeMap::new(), "cxi0") {
            Admission::Admitted { service, way, .. } => Some((service, way)),
            Admission::Refused { error, .. } => {
                assert_eq!(error, NO_SERVICE);
                None
            }
        }
    }

    #[test]
    fn the_namespace_comes_first_then_the_user_the_group_and_everybody() {
        let all = [
            service(5, true, &[Member::Netns(77)]),
            service(6, true, &[Member::Uid(1000)]),
            service(7, true, &[Member::Gid(100)]),
            service(8, true, EVERYBODY),
        ];
        assert_eq!(way(&all), Some((5, Way::Netns)));
        assert_eq!(way(&all[1..]), Some((6, Way::Uid)));
        assert_eq!(way(&all[2..]), Some((7, Way::Gid)));
        assert_eq!(way(&all[3..]), Some((8, Way::Everybody)));
        assert_eq!(way(&[]), None);
    }

    #[test]
    fn of_equals_the_last_one_is_taken() {
        let all = [
            service(5, true, EVERYBODY),
            service(6, true, EVERYBODY),
            service(7, false, EVERYBODY),
        ];
        assert_eq!(way(&all), Some((6, Way::Everybody)));
    }

    #[test]
    fn what_is_off_or_of_the_hosts_own_or_for_others_does_not_count() {
        assert_eq!(way(&[service(1, false, EVERYBODY)]), None);
        assert_eq!(way(&[system(2)]), None);
        assert_eq!(way(&[service(3, true, &[Member::Uid(1001), Member::Gid(101)])]), None);
        assert_eq!(way(&[service(4, true, &[Member::Netns(78)])]), None);
    }

    #[test]
    fn both_ids_of_one_service_count() {
        let both = [service(3, true, &[Member::Uid(1), Member::Gid(100)])];
        assert_eq!(way(&both), Some((3, Way::Gid)));
    }

    #[test]
    fn a_pod_author_is_told_why() {
        let services = [
            service(1, false, EVERYBODY),
            system(2),
            service(3, true, &[Member::Uid(4)]),
        ];
        let Admission::Refused { reason, .. } = judge(&services, POD, &BTreeMap::new(), "cxi0") else {
            panic!("admitted");
        };
        assert_eq!(
            reason,
            "no CXI service of the NIC admits it: the default service (1) is off; service 3 is for user 4"
        );
    }

    fn environment(devices: &str, ids: &str) -> BTreeMap<String, String> {
        [
            ("SLINGSHOT_DEVICES", devices),
            ("SLINGSHOT_SVC_IDS", ids),
            ("SLINGSHOT_VNIS", "20,21"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    #[test]
    fn a_launchers_service_is_taken_by_its_place_and_without_a_search() {
        let services = [
            service(5, true, &[Member::Uid(1000)]),
            service(6, true, &[Member::Uid(7)]),
            service(8, false, &[Member::Uid(1000)]),
        ];
        let judged = |devices: &str, ids: &str| judge(&services, POD, &environment(devices, ids), "cxi1");
        assert!(matches!(
            judged("cxi0,cxi1", "9,5"),
            Admission::Admitted {
                service: 5,
                way: Way::Uid,
                remark: None
            }
        ));
        for (ids, words) in [
            ("5,6", "does not admit this process: it is for user 7"),
            ("5,8", "which is off"),
            ("5,9", "which the NIC does not have"),
        ] {
            match judged("cxi0,cxi1", ids) {
                Admission::Refused { reason, error } => {
                    assert!(reason.contains(words), "{reason}");
                    assert_eq!(error, NAMED_REFUSED);
                }
                admitted => panic!("{ids}: {admitted:?}"),
            }
        }
    }

    #[test]
    fn variables_that_lead_nowhere_are_named_and_a_search_follows() {
        let services = [service(5, true, &[Member::Uid(1000)])];
        let mut without_vnis = environment("cxi1", "5");
        without_vnis.remove("SLINGSHOT_VNIS");
        let cases = [
            (environment("cxi10", "9"), "does not name cxi1"),
            (environment("cxi0,cxi1", "9"), "no number for cxi1"),
            (environment("cxi1", "five"), "no number for cxi1"),
            (without_vnis, "only together"),
        ];
        for (variables, words) in cases {
            match judge(&services, POD, &variables, "cxi1") {
                Admission::Admitted {
                    service: 5,
                    remark: Some(remark),
                    ..
                } => assert!(remark.contains(words), "{remark}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_pod_of_which_nothing_is_known_needs_a_service_for_everybody() {
        let any = Asker::default();
        assert!(for_plain_pod(&[service(3, true, &[Member::Uid(1000)])], any).is_none());
        assert!(for_plain_pod(&[service(1, true, EVERYBODY)], any).is_some());
    }
}
