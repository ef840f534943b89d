//! What a service for a pod is, such that one of them is told from all others.

use crate::model::services::descriptor::{DEFAULT_SERVICE, Descriptor, Limit, Resource};
use crate::model::services::refused::Refused;
use crate::model::services::service::{Origin, Service, Told};
use crate::model::services::template::Wanted;

/// How much there is of each resource on a NIC, by [`Resource::ALL`], where its default service does not tell.
const TOTALS: [u16; 8] = [2048, 1024, 512, 2047, 2047, 16384, 2048, 1022];

/// The limits of a pod's service: as much as there is, nothing kept for it, and no trigger list entries, of whose pools a NIC has
/// four: with one each, a node would have room for three pods.
pub fn limits(services: &[Service]) -> [Limit; 8] {
    let default = services.iter().find(|service| service.id() == DEFAULT_SERVICE);
    let mut limits = [Limit::default(); 8];
    for ((limit, resource), total) in limits.iter_mut().zip(Resource::ALL).zip(TOTALS) {
        let max = default.map_or(0, |default| default.descriptor.limit(resource).max);
        limit.max = match (resource, max) {
            (Resource::Tle, _) => 0,
            (_, 0) => total,
            (_, max) => max,
        };
    }
    limits
}

/// The service that is to be made.
pub fn wanted(vni: u16, netns: u32, limits: [Limit; 8]) -> Wanted {
    Wanted {
        descriptor: Descriptor {
            restricted_members: true,
            restricted_vnis: true,
            resource_limits: true,
            vnis: vec![vni],
            limits,
            ..Descriptor::default()
        },
        netns: Some(netns),
        ..Wanted::default()
    }
}

/// Whether a service is one that was made for a pod with this VNI and these limits, or is being made: with the pod's namespace, or
/// with no member yet.
pub fn is_like(service: &Service, vni: u16, netns: u32, limits: &[Limit; 8]) -> bool {
    let made = &service.descriptor;
    made.restricted_members
        && made.restricted_vnis
        && made.resource_limits
        && !made.restricted_tcs
        && !made.system
        && made.members.is_empty()
        && made.vnis == [vni]
        && made.limits == *limits
        && match service.netns {
            Ok(None) => true,
            Ok(Some(its)) => its == netns,
            Err(_) => false,
        }
}

/// A service by what matters here alone.
pub fn told(descriptor: Descriptor, netns: Told<Option<u32>>) -> Service {
    let not_asked = || Refused::Node("not asked".to_owned());
    Service {
        descriptor,
        origin: Origin::Command,
        vni_range: Ok(None),
        netns,
        exclusive_cp: Ok(None),
        lnis_per_rgid: Err(not_asked()),
        usage: Err(not_asked()),
    }
}

/// Whether it has no member yet.
pub fn is_memberless(service: &Service) -> bool {
    service.netns == Ok(None)
}

/// Whether it has this VNI, alone or in a range.
pub fn has_vni(service: &Service, vni: u16) -> bool {
    let in_range =
        matches!(&service.vni_range, Ok(Some(range)) if (range.first..=range.last).contains(&u32::from(vni)));
    in_range || (service.descriptor.restricted_vnis && service.descriptor.vnis.contains(&vni))
}
