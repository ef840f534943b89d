//! The services of one NIC with all that is known of each.

use serde::{Serialize, Serializer};

use super::answers::Use;
use super::descriptor::{DEFAULT_SERVICE, Descriptor, Limit, Member, Resource};
use super::refused::Refused;

/// Who has made a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "name")]
pub enum Origin {
    /// The driver: service 1.
    Default,
    /// Somebody by a command, such as a launcher.
    Command,
    /// Somebody by a directory in configfs; its name, where we may see it.
    Configfs(Option<String>),
}

/// Both ends are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VniRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// A value that a driver may not know how to tell.
pub type Told<T> = Result<T, Refused>;

/// One service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// As the driver describes it.
    pub descriptor: Descriptor,
    /// Who has made it.
    pub origin: Origin,
    /// Its range of VNIs; none for one with single VNIs, or without any yet.
    pub vni_range: Told<Option<VniRange>>,
    /// Network namespaces that it admits. Of several, the command tells the lowest only.
    pub netns: Told<Option<u32>>,
    /// Whether it has its communication profiles for itself.
    pub exclusive_cp: Told<Option<bool>>,
    /// How many LNIs share one resource group.
    pub lnis_per_rgid: Told<u32>,
    /// What it uses.
    pub usage: Told<Use>,
}

impl Service {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.descriptor.id
    }

    /// Whether it is the driver's own.
    pub fn is_default(&self) -> bool {
        self.id() == DEFAULT_SERVICE
    }

    /// Whether libfabric would think of using it.
    pub fn is_offered(&self) -> bool {
        self.descriptor.enabled && !self.descriptor.system
    }

    /// Whether anybody at all may use it.
    pub fn is_open(&self) -> bool {
        self.is_offered() && !self.descriptor.restricted_members
    }

    /// Whom it admits; none for everybody.
    pub fn members(&self) -> Option<Vec<Member>> {
        if !self.descriptor.restricted_members {
            return None;
        }
        let mut members = self.descriptor.members.clone();
        if let Ok(Some(netns)) = self.netns {
            members.retain(|member| *member != Member::Netns(netns));
            members.push(Member::Netns(netns));
        }
        Some(members)
    }

    /// What it has of each resource, and uses of it.
    pub fn resources(&self) -> impl Iterator<Item = ResourceUse> + '_ {
        let used = |place: usize| self.usage.as_ref().ok().and_then(|usage| *usage.in_use.get(place)?);
        let limits = Resource::ALL.iter().zip(self.descriptor.limits).enumerate();
        limits.map(move |(place, (resource, Limit { max, reserved }))| ResourceUse {
            resource: *resource,
            reserved,
            max,
            in_use: used(place),
        })
    }
}

/// Of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResourceUse {
    /// Which.
    pub resource: Resource,
    /// Kept for the service.
    pub reserved: u16,
    /// At most.
    pub max: u16,
    /// Now; none where the driver does not count.
    pub in_use: Option<u16>,
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn known<T: Clone>(told: &Told<Option<T>>) -> Option<T> {
            told.as_ref().ok().cloned().flatten()
        }
        let asked: [(&'static str, Option<&Refused>); 4] = [
            ("vni_range", self.vni_range.as_ref().err()),
            ("netns", self.netns.as_ref().err()),
            ("exclusive_cp", self.exclusive_cp.as_ref().err()),
            ("use", self.usage.as_ref().err()),
        ];
        let unknown = asked.iter().filter_map(|(name, refused)| {
            let value = *name;
            refused.map(|refused| format!("{value}: {refused}"))
        });
        ServiceForPrograms {
            id: self.id(),
            origin: self.origin.clone(),
            default: self.is_default(),
            system: self.descriptor.system,
            enabled: self.descriptor.enabled,
            members: self.members(),
            vnis: self.descriptor.restricted_vnis.then(|| self.descriptor.vnis.clone()),
            vni_range: known(&self.vni_range),
            restricted_tcs: self.descriptor.restricted_tcs,
            traffic_classes: self.descriptor.traffic_classes(),
            exclusive_cp: known(&self.exclusive_cp),
            lnis_per_rgid: self.lnis_per_rgid.as_ref().ok().copied(),
            resource_limits: self.descriptor.resource_limits,
            tle_pool: self.usage.as_ref().ok().map(|usage| usage.tle_pool),
            resources: self.resources().collect(),
            unknown: unknown.collect(),
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct ServiceForPrograms {
    id: u32,
    origin: Origin,
    default: bool,
    system: bool,
    enabled: bool,
    /// Null: everybody.
    members: Option<Vec<Member>>,
    /// Null: not by single VNIs.
    vnis: Option<Vec<u16>>,
    vni_range: Option<VniRange>,
    restricted_tcs: bool,
    traffic_classes: Vec<&'static str>,
    exclusive_cp: Option<bool>,
    lnis_per_rgid: Option<u32>,
    resource_limits: bool,
    tle_pool: Option<u32>,
    resources: Vec<ResourceUse>,
    /// What the driver did not tell, and why.
    unknown: Vec<String>,
}
