//! Whether a NIC has room for one more user of a service, and for one more service.

use std::collections::BTreeSet;

use serde::Serialize;

use super::descriptor::Resource;
use super::service::Service;

/// Pools of trigger list entries that a NIC has. A service that does not say it wants none takes one.
pub const TLE_POOLS: usize = 4;
/// Pools of list entries; the first is for all that reserve none.
pub const LE_POOLS: usize = 16;

/// Services and groups that a NIC can have: their numbers have eight bits, and 0 is none.
pub const MOST_SERVICES: usize = 255;

/// Whether there can be one more that reserves nothing.
pub fn is_for_one_more(services: &[Service]) -> bool {
    services.len() < MOST_SERVICES
}

/// A resource of which a service has no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsedUp {
    /// Which.
    pub resource: Resource,
    /// In use.
    pub in_use: u16,
    /// At most.
    pub max: u16,
}

/// What every endpoint needs. Trigger list entries are for triggered operations only, and list entries without a pool of the
/// service's own are not counted.
const NEEDED: [Resource; 7] = [
    Resource::Pte,
    Resource::Txq,
    Resource::Tgq,
    Resource::Eq,
    Resource::Ct,
    Resource::Le,
    Resource::Ac,
];

/// What a service is out of, of that which every endpoint needs.
pub fn used_up(service: &Service) -> Vec<UsedUp> {
    let needed = service.resources().filter(|used| NEEDED.contains(&used.resource));
    let out = needed.filter_map(|used| {
        let in_use = used.in_use?;
        (service.descriptor.resource_limits && in_use >= used.max).then_some(UsedUp {
            resource: used.resource,
            in_use,
            max: used.max,
        })
    });
    out.collect()
}

/// Pools that are left for services that are still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pools {
    /// Of trigger list entries.
    pub tle: usize,
    /// Of list entries.
    pub le: usize,
}

/// Counts them by what the services have reserved.
pub fn pools_left(services: &[Service]) -> Pools {
    let reserving = |resource| {
        let having = services
            .iter()
            .filter(move |service| service.descriptor.limit(resource).reserved > 0);
        having.count()
    };
    let told: BTreeSet<u32> = services
        .iter()
        .filter(|service| service.descriptor.limit(Resource::Tle).reserved > 0)
        .filter_map(|service| Some(service.usage.as_ref().ok()?.tle_pool))
        .collect();
    // A driver that tells one number for all still keeps them apart.
    let taken = told.len().max(reserving(Resource::Tle));
    Pools {
        tle: TLE_POOLS.saturating_sub(taken),
        le: (LE_POOLS - 1).saturating_sub(reserving(Resource::Le)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::services::answers::Use;
    use crate::model::services::descriptor::{Descriptor, Limit};
    use crate::model::services::service::Origin;

    fn service(id: u32, limits: [Limit; 8], in_use: [Option<u16>; 8]) -> Service {
        Service {
            descriptor: Descriptor {
                id,
                resource_limits: true,
                limits,
                ..Descriptor::default()
            },
            origin: Origin::Command,
            vni_range: Ok(None),
            netns: Ok(None),
            exclusive_cp: Ok(None),
            lnis_per_rgid: Ok(1),
            usage: Ok(Use {
                id,
                tle_pool: 0,
                in_use,
            }),
        }
    }

    #[test]
    fn what_is_at_its_maximum_is_named_and_nothing_else() {
        let mut limits = [Limit { max: 10, reserved: 0 }; 8];
        let mut in_use = [Some(9); 8];
        assert_eq!(used_up(&service(3, limits, in_use)), []);
        in_use[3] = Some(10);
        in_use[5] = None;
        in_use[6] = Some(10);
        let out = UsedUp {
            resource: Resource::Eq,
            in_use: 10,
            max: 10,
        };
        assert_eq!(used_up(&service(3, limits, in_use)), [out]);
        limits[0].max = 0;
        in_use = [Some(0); 8];
        let out = UsedUp {
            resource: Resource::Pte,
            in_use: 0,
            max: 0,
        };
        assert_eq!(used_up(&service(3, limits, in_use)), [out]);
    }

    #[test]
    fn a_nic_has_pools_for_four_services_that_reserve_trigger_entries() {
        let with_tles = |id| {
            let mut limits = [Limit::default(); 8];
            limits[6] = Limit { max: 8, reserved: 8 };
            service(id, limits, [None; 8])
        };
        let left = |count| pools_left(&(1..=count).map(with_tles).collect::<Vec<_>>()).tle;
        assert_eq!([left(0), left(1), left(3), left(4), left(9)], [4, 3, 1, 0, 0]);
        let without = service(9, [Limit::default(); 8], [None; 8]);
        assert_eq!(pools_left(&[with_tles(1), without]).tle, 3);
    }
}
