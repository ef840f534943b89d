//! The services of one NIC, and who uses them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Answered;
use super::bytes::u16_at;
use super::errno::{EBUSY, EEXIST, EINVAL, EKEYREVOKED, ENOENT, ENOSPC, EOPNOTSUPP, EPERM};
use super::pools::{FailInfo, KINDS, LE, Limit, Reserved, TLE, TOTALS};
use super::profiles::{Profiles, Vnis};
use super::service::{self, Caller, Service};

/// The default service.
const DEFAULT: u32 = 1;
/// Ids that there can be.
const MOST: u32 = 255;
/// Resource groups of the hardware that can be in use at once.
const RGIDS: usize = 255;
/// Most LNIs that share one.
const MOST_LNIS_PER_RGID: u32 = 8;

/// Parameters of the driver's module.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// `disable_default_svc`.
    pub default_is_off: bool,
    /// Two services may have one exact VNI, as since 2026-06.
    pub shares_single_vnis: bool,
    /// How long an LNI lives on after its end, as those of jobs do.
    pub lingers: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            default_is_off: true,
            shares_single_vnis: true,
            lingers: Duration::ZERO,
        }
    }
}

/// One use of a service.
#[derive(Debug, Clone, Copy)]
struct Lni {
    client: u32,
    service: u32,
    rgid: usize,
    /// It has ended, and is gone at this time.
    until: Option<Duration>,
}

/// One NIC.
#[derive(Debug, Clone)]
pub struct Nic {
    pub(super) services: BTreeMap<u32, Service>,
    lnis: BTreeMap<u32, Lni>,
    profiles: Profiles,
    reserved: Reserved,
    parameters: Parameters,
    now: Duration,
    pub(super) nid: u32,
    /// Whether it takes commands that change things.
    pub(super) is_physical: bool,
    /// Every command fails with this, as on a NIC that is gone or of another driver.
    pub(super) fails: Option<i32>,
}

impl Nic {
    /// As after the driver's probe: with the default service.
    pub fn new(parameters: Parameters) -> Self {
        let mut nic = Self {
            services: BTreeMap::new(),
            lnis: BTreeMap::new(),
            profiles: Profiles::default(),
            reserved: Reserved::default(),
            parameters,
            now: Duration::ZERO,
            nid: 0x12,
            is_physical: true,
            fails: None,
        };
        let mut desc = [0; service::SIZE];
        desc[0] = service::VNIS | service::LIMITED;
        desc[1..6].copy_from_slice(&[2, 1, 0, 10, 0]);
        desc[10..14].fill(1);
        for (kind, total) in TOTALS.iter().enumerate() {
            let (max, reserved) = if kind == TLE { (512_u16, 512_u16) } else { (*total, 0) };
            desc[32 + 4 * kind..34 + 4 * kind].copy_from_slice(&max.to_le_bytes());
            desc[34 + 4 * kind..36 + 4 * kind].copy_from_slice(&reserved.to_le_bytes());
        }
        let made = nic.alloc(&desc, &mut FailInfo::default());
        debug_assert_eq!(made, Ok(DEFAULT));
        nic
    }

    /// As a virtual function: it changes nothing.
    pub fn make_virtual(&mut self) {
        self.is_physical = false;
    }

    /// From now on every command fails so.
    pub fn fail(&mut self, errno: Option<i32>) {
        self.fails = errno;
    }

    /// Time goes on; what has lingered long enough is gone.
    pub fn advance(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.lnis.retain(|_, lni| lni.until.is_none_or(|until| until > now));
    }

    /// A group made in configfs, for these users; its number.
    pub fn add_group(&mut self, uids: &[u32], is_enabled: bool) -> u32 {
        let id = self.free_id().unwrap_or(MOST);
        let mut desc = [0; service::SIZE];
        desc[0] = service::LIMITED | if uids.is_empty() { 0 } else { service::MEMBERS };
        for (place, uid) in uids.iter().take(2).enumerate() {
            desc[16 + 8 * place..20 + 8 * place].copy_from_slice(&uid.to_le_bytes());
            desc[20 + 8 * place] = 1;
        }
        if let Ok(mut group) = Service::check(&desc) {
            group.is_group = true;
            group.set_id(id);
            group.switch(is_enabled);
            self.services.insert(id, group);
        }
        id
    }

    /// Sets what a service uses of a resource, by its place in every array.
    pub fn set_in_use(&mut self, id: u32, kind: usize, count: u16) {
        if let Some(used) = self
            .services
            .get_mut(&id)
            .and_then(|service| service.in_use.get_mut(kind))
        {
            *used = count;
        }
    }

    /// Numbers of the services that there are.
    pub fn ids(&self) -> Vec<u32> {
        self.services.keys().copied().collect()
    }

    fn free_id(&self) -> Option<u32> {
        (DEFAULT..=MOST).find(|id| !self.services.contains_key(id))
    }

    /// One that commands know.
    fn service(&mut self, id: u32) -> Answered<&mut Service> {
        let service = self.services.get_mut(&id).filter(|service| !service.is_group);
        service.ok_or(EINVAL)
    }

    fn is_used(&self, id: u32) -> bool {
        self.lnis.values().any(|lni| lni.service == id)
    }

    pub(super) fn alloc(&mut self, desc: &[u8; service::SIZE], fail: &mut FailInfo) -> Answered<u32> {
        let mut service = Service::check(desc)?;
        let id = self.free_id().ok_or(ENOSPC)?;
        let has_single_vnis = service.is(service::VNIS);
        if has_single_vnis {
            for place in 0..usize::from(desc[1]) {
                let vnis = Vnis {
                    first: u32::from(u16_at(desc, 2 + 2 * place)),
                    mask: 0,
                };
                match self.profiles.add(vnis, self.parameters.shares_single_vnis) {
                    Ok(profile) => service.profiles.push(Some(profile)),
                    Err(error) => return Err(self.without_profiles(&service, error)),
                }
            }
        }
        let mut limits = service.limits;
        let taken = self
            .reserved
            .take(&mut limits, service.is(service::LIMITED), id == DEFAULT, fail);
        match taken {
            Ok(pool) => service.tle_pool = pool,
            Err(error) => return Err(self.without_profiles(&service, error)),
        }
        *fail = FailInfo::default();
        service.set_limits(limits);
        service.set_id(id);
        service.switch(has_single_vnis && !(id == DEFAULT && self.parameters.default_is_off));
        self.services.insert(id, service);
        Ok(id)
    }

    fn without_profiles(&mut self, service: &Service, error: i32) -> i32 {
        service
            .profiles
            .iter()
            .flatten()
            .for_each(|profile| self.profiles.remove(*profile));
        error
    }

    pub(super) fn destroy(&mut self, id: u32) -> Answered<()> {
        if id == DEFAULT {
            return Err(EINVAL);
        }
        self.service(id)?;
        if self.is_used(id) {
            return Err(EBUSY);
        }
        if let Some(service) = self.services.remove(&id) {
            self.without_profiles(&service, 0);
            self.reserved.give_back(&service.limits, service.tle_pool);
        }
        Ok(())
    }

    pub(super) fn enable(&mut self, id: u32, on: bool) -> Answered<()> {
        self.service(id)?;
        if self.is_used(id) {
            return Err(EBUSY);
        }
        self.service(id)?.switch(on);
        Ok(())
    }

    pub(super) fn set_netns(&mut self, id: u32, netns: u32) -> Answered<()> {
        let service = self.service(id)?;
        if !service.admitted.takes_netns() {
            return Err(EEXIST);
        }
        if service.is(service::ENABLED) {
            return Err(EBUSY);
        }
        service.admitted.add_netns(netns)
    }

    pub(super) fn netns(&mut self, id: u32) -> Answered<u32> {
        self.service(id)?.admitted.lowest_netns().ok_or(EINVAL)
    }

    /// A second range that overlaps the first loses both for the service, and the first stays taken; another one leaves the
    /// first taken, too.
    pub(super) fn set_vni_range(&mut self, id: u32, first: u32, last: u32) -> Answered<()> {
        let service = self.service(id)?;
        if service.is(service::VNIS) {
            return Err(EINVAL);
        }
        let is_vni = |vni: u32| vni > 0 && vni <= u32::from(u16::MAX);
        if !is_vni(first) || !is_vni(last) || last < first {
            return Err(EINVAL);
        }
        let size = last - first + 1;
        if !size.is_power_of_two() || !first.is_multiple_of(size) {
            return Err(EINVAL);
        }
        service.desc[1] = 1;
        service.profiles = vec![None];
        service.profile_is_on = false;
        let shares = self.parameters.shares_single_vnis;
        let profile = self.profiles.add(Vnis { first, mask: size - 1 }, shares)?;
        self.service(id)?.profiles = vec![Some(profile)];
        Ok(())
    }

    pub(super) fn vni_range(&mut self, id: u32) -> Answered<(u32, u32)> {
        if self.services.get(&id).is_some_and(|service| service.is_group) {
            return Err(EOPNOTSUPP);
        }
        let service = self.service(id)?;
        if service.is(service::VNIS) || service.profiles.is_empty() {
            return Err(EINVAL);
        }
        let profile = service.profiles.first().copied().flatten().ok_or(ENOENT)?;
        let vnis = self.profiles.get(profile).ok_or(ENOENT)?;
        Ok((vnis.first, vnis.first + vnis.mask))
    }

    pub(super) fn set_exclusive_cp(&mut self, id: u32, on: bool) -> Answered<()> {
        let service = self.service(id)?;
        if service.is(service::VNIS) || service.profiles.first().copied().flatten().is_none() {
            return Err(EINVAL);
        }
        if service.profile_is_on {
            return Err(EBUSY);
        }
        service.exclusive_cp = on;
        Ok(())
    }

    pub(super) fn exclusive_cp(&mut self, id: u32) -> Answered<bool> {
        let service = self.service(id)?;
        let profile = service.profiles.first().copied().flatten();
        profile.map(|_| service.exclusive_cp).ok_or(ENOENT)
    }

    pub(super) fn set_lnis_per_rgid(&mut self, id: u32, count: u32) -> Answered<()> {
        if count > MOST_LNIS_PER_RGID {
            return Err(EINVAL);
        }
        self.service(id)?;
        if self.is_used(id) {
            return Err(EBUSY);
        }
        self.service(id)?.lnis_per_rgid = count;
        Ok(())
    }

    pub(super) fn lnis_per_rgid(&self, id: u32) -> Answered<u32> {
        let service = self.services.get(&id).ok_or(EINVAL)?;
        Ok(service.lnis_per_rgid)
    }

    pub(super) fn add_lni(&mut self, client: u32, caller: &Caller, id: u32) -> Answered<u32> {
        let service = self.services.get(&id).ok_or(EINVAL)?;
        if !service.is(service::ENABLED) {
            return Err(EKEYREVOKED);
        }
        if !service.admitted.admits(caller) {
            return Err(EPERM);
        }
        let share = usize::try_from(service.lnis_per_rgid.max(1)).unwrap_or(1);
        let of_group = |rgid: usize| self.lnis.values().filter(move |lni| lni.rgid == rgid);
        let has_room = |rgid: &usize| of_group(*rgid).all(|lni| lni.service == id) && of_group(*rgid).count() < share;
        // Shared ones first, then one that nobody has.
        let shared = (1..=RGIDS).find(|rgid| of_group(*rgid).count() > 0 && has_room(rgid));
        let rgid = shared.or_else(|| (1..=RGIDS).find(has_room)).ok_or(ENOSPC)?;
        let lni = (1..).find(|lni| !self.lnis.contains_key(lni)).ok_or(ENOSPC)?;
        self.lnis.insert(
            lni,
            Lni {
                client,
                service: id,
                rgid,
                until: None,
            },
        );
        Ok(lni)
    }

    pub(super) fn free_lni(&mut self, client: u32, lni: u32) -> Answered<()> {
        let is_its = |lni: &&mut Lni| lni.client == client && lni.until.is_none();
        let until = self.now + self.parameters.lingers;
        let found = self.lnis.get_mut(&lni).filter(is_its).ok_or(EINVAL)?;
        found.until = Some(until);
        self.advance(Duration::ZERO);
        Ok(())
    }

    /// A file is closed: what was made through it ends.
    pub fn close(&mut self, client: u32) {
        let its: Vec<u32> = self
            .lnis
            .iter()
            .filter(|(_, lni)| lni.client == client && lni.until.is_none())
            .map(|(id, _)| *id)
            .collect();
        for lni in its {
            let _ = self.free_lni(client, lni);
        }
    }

    /// What a service uses, as the command for it says it: pool, and counts.
    pub(super) fn usage(&self, service: &Service) -> (u32, [u16; KINDS]) {
        let mut counts = service.in_use;
        if service.limits[LE].reserved == 0 {
            counts[LE] = u16::MAX;
        }
        if service.limits[TLE] == Limit::default() {
            counts[TLE] = u16::MAX;
        }
        (service.tle_pool.unwrap_or(0), counts)
    }
}
