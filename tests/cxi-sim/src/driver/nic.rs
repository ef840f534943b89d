//! The services of one NIC, and who uses them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Answered;
use super::errno::{EBUSY, EINVAL, ENOSPC};
use super::lnis::{Group, Lni};
use super::pools::{FailInfo, KINDS, LE, Limit, Reserved, TLE, TOTALS};
use super::profiles::Profiles;
use super::rights::{Cp, Domain};
use super::service::{self, Admitted, Service};

/// The default service.
const DEFAULT: u32 = 1;
/// Most LNIs that share a resource group.
const MOST_LNIS_PER_RGID: u32 = 8;
/// What an update takes over of the first byte.
const UPDATED: u8 = service::MEMBERS | service::VNIS | service::CLASSES | service::COUNTER_POOL;

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

/// One NIC.
#[derive(Debug, Clone)]
pub struct Nic {
    pub(super) services: BTreeMap<u32, Service>,
    pub(super) lnis: BTreeMap<u32, Lni>,
    pub(super) groups: BTreeMap<u32, Group>,
    pub(super) domains: BTreeMap<u32, Domain>,
    /// By the client and its own number for it.
    pub(super) cps: BTreeMap<(u32, u32), Cp>,
    /// Who may send, and who may receive.
    pub(super) tx: Profiles,
    pub(super) rx: Profiles,
    reserved: Reserved,
    pub(super) parameters: Parameters,
    pub(super) now: Duration,
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
            groups: BTreeMap::new(),
            domains: BTreeMap::new(),
            cps: BTreeMap::new(),
            tx: Profiles::default(),
            rx: Profiles::default(),
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
        self.forget_lnis();
    }

    /// A group made in configfs, for these users; its number.
    pub fn add_group(&mut self, uids: &[u32], is_enabled: bool) -> u32 {
        let id = self.free_id().unwrap_or(u32::MAX);
        let mut desc = [0; service::SIZE];
        desc[0] = service::LIMITED | if uids.is_empty() { 0 } else { service::MEMBERS };
        for (place, uid) in uids.iter().take(2).enumerate() {
            desc[16 + 8 * place..20 + 8 * place].copy_from_slice(&uid.to_le_bytes());
            desc[20 + 8 * place] = 1;
        }
        let members = Admitted::of_service(&desc);
        if let (Ok(mut group), Ok(members)) = (Service::new(&desc), members) {
            group.is_group = true;
            group.admitted = members;
            group.set_id(id);
            group.show(is_enabled);
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
        (DEFAULT..).find(|id| !self.services.contains_key(id))
    }

    /// One that commands know.
    pub(super) fn service(&mut self, id: u32) -> Answered<&mut Service> {
        let service = self.services.get_mut(&id).filter(|service| !service.is_group);
        service.ok_or(EINVAL)
    }

    /// One that nobody uses.
    fn idle_service(&mut self, id: u32) -> Answered<&mut Service> {
        let is_used = self.lnis.values().any(|lni| lni.service == id);
        let service = self.service(id)?;
        if is_used { Err(EBUSY) } else { Ok(service) }
    }

    /// One whose work is done on its own copy.
    pub(super) fn copy_of(&mut self, id: u32) -> Answered<Service> {
        self.service(id).cloned()
    }

    pub(super) fn put_back(&mut self, id: u32, service: Service) {
        self.services.insert(id, service);
    }

    pub(super) fn alloc(&mut self, desc: &[u8; service::SIZE], fail: &mut FailInfo) -> Answered<u32> {
        let mut service = Service::new(desc)?;
        let id = self.free_id().ok_or(ENOSPC)?;
        service.admitted = Admitted::of_service(desc)?;
        let has_single_vnis = service.is(service::VNIS);
        if has_single_vnis {
            self.add_profiles(&mut service, None)?;
        }
        let mut limits = service.limits;
        let has_limits = service.is(service::LIMITED);
        match self.reserved.take(&mut limits, has_limits, id == DEFAULT, fail) {
            Ok(pool) => service.tle_pool = pool,
            Err(error) => {
                self.drop_profiles(&mut service);
                return Err(error);
            }
        }
        *fail = FailInfo::default();
        service.set_limits(limits);
        service.set_id(id);
        service.show(false);
        // Without single VNIs it waits for its range.
        if has_single_vnis && !(id == DEFAULT && self.parameters.default_is_off) {
            self.switch_profiles(&mut service, true)?;
        }
        self.services.insert(id, service);
        Ok(id)
    }

    pub(super) fn destroy(&mut self, id: u32) -> Answered<()> {
        if id == DEFAULT {
            return Err(EINVAL);
        }
        self.idle_service(id)?;
        if let Some(mut service) = self.services.remove(&id) {
            self.drop_profiles(&mut service);
            self.reserved.give_back(&service.limits, service.tle_pool);
        }
        Ok(())
    }

    pub(super) fn enable(&mut self, id: u32, on: bool) -> Answered<()> {
        let mut service = self.idle_service(id)?.clone();
        let switched = self.switch_profiles(&mut service, on);
        self.put_back(id, service);
        switched
    }

    /// Switches, and takes over what is shown; who is admitted to what stays as it was made.
    pub(super) fn update(&mut self, desc: &[u8; service::SIZE]) -> Answered<()> {
        let asked = Service::new(desc)?;
        let id = asked.id();
        let service = self.idle_service(id)?;
        if service.is(service::LIMITED) != asked.is(service::LIMITED) {
            return Err(EINVAL);
        }
        self.enable(id, asked.is(service::ENABLED))?;
        let service = self.service(id)?;
        service.desc[0] = service.desc[0] & !UPDATED | desc[0] & UPDATED;
        // VNIs, classes and members; between them is a byte that is nobody's.
        service.desc[1..15].copy_from_slice(&desc[1..15]);
        service.desc[16..32].copy_from_slice(&desc[16..32]);
        Ok(())
    }

    pub(super) fn set_lnis_per_rgid(&mut self, id: u32, count: u32) -> Answered<()> {
        if count > MOST_LNIS_PER_RGID {
            return Err(EINVAL);
        }
        self.idle_service(id)?.lnis_per_rgid = count;
        Ok(())
    }

    pub(super) fn lnis_per_rgid(&self, id: u32) -> Answered<u32> {
        let service = self.services.get(&id).ok_or(EINVAL)?;
        Ok(service.lnis_per_rgid)
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
