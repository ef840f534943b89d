//! Profiles: which VNIs there are on a NIC, and who may use them. There are two lists of them: to send, and to receive.

use std::collections::{BTreeMap, BTreeSet};

use super::Answered;
use super::errno::{EEXIST, ENOENT, ENOSPC, EPERM};
use super::service::{Admitted, Caller};

/// Whoever asks for this number gets any that is free.
pub(super) const ANY_PID: u32 = 511;
/// Classes of traffic of services, not of Ethernet.
const CLASSES: u8 = 0x0f;

/// A VNI, or those that differ from it in these bits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vnis {
    pub(super) first: u32,
    pub(super) mask: u32,
}

impl Vnis {
    pub(super) fn one(vni: u32) -> Self {
        Self { first: vni, mask: 0 }
    }

    fn overlaps(self, other: Self) -> bool {
        (self.first ^ other.first) & !(self.mask | other.mask) == 0
    }

    fn has(self, vni: u32) -> bool {
        vni & !self.mask == self.first
    }

    fn is_exact(self) -> bool {
        self.mask == 0
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) vnis: Vnis,
    pub(super) is_on: bool,
    pub(super) exclusive_cp: bool,
    /// A bit for each class of traffic.
    pub(super) classes: u8,
    pub(super) admitted: Admitted,
    /// The service, and whatever uses it.
    users: u32,
    pids: BTreeSet<u32>,
}

/// All of one list. One whose service has lost it stays; numbers are used again.
#[derive(Debug, Clone, Default)]
pub(super) struct Profiles(BTreeMap<u32, Profile>);

impl Profiles {
    /// A new one, for nobody yet. Single VNIs may be shared, as the driver has it since 2026-06.
    pub(super) fn add(&mut self, vnis: Vnis, shares_single: bool) -> Answered<u32> {
        let clashes =
            |other: &Profile| vnis.overlaps(other.vnis) && !(shares_single && vnis.is_exact() && other.vnis.is_exact());
        if self.0.values().any(clashes) {
            return Err(EEXIST);
        }
        let id = (1..).find(|id| !self.0.contains_key(id)).ok_or(ENOSPC)?;
        let profile = Profile {
            vnis,
            is_on: false,
            exclusive_cp: false,
            classes: 0,
            admitted: Admitted::default(),
            users: 1,
            pids: BTreeSet::new(),
        };
        self.0.insert(id, profile);
        Ok(id)
    }

    pub(super) fn get(&self, id: Option<u32>) -> Option<&Profile> {
        self.0.get(&id?)
    }

    pub(super) fn get_mut(&mut self, id: Option<u32>) -> Option<&mut Profile> {
        self.0.get_mut(&id?)
    }

    /// A use ends.
    pub(super) fn put(&mut self, id: u32) {
        let Some(profile) = self.0.get_mut(&id) else { return };
        profile.users -= 1;
        if profile.users == 0 {
            self.0.remove(&id);
        }
    }

    /// Its service gives it up: whoever uses it still has it, and nobody else may.
    pub(super) fn give_up(&mut self, id: u32) {
        if let Some(profile) = self.0.get_mut(&id) {
            profile.admitted = Admitted::default();
        }
        self.put(id);
    }

    /// The one by which somebody may use a VNI, with a use of it. Root gets any VNI that nobody has: a profile that lasts as
    /// long as it is used.
    pub(super) fn by_right(&mut self, caller: &Caller, vni: u32, shares_single: bool) -> Answered<u32> {
        let mut is_somebodys = false;
        for (id, profile) in &mut self.0 {
            if !profile.is_on || !profile.vnis.has(vni) {
                continue;
            }
            if profile.admitted.admits(caller) {
                profile.users += 1;
                return Ok(*id);
            }
            is_somebodys = true;
        }
        if is_somebodys {
            return Err(EPERM);
        }
        if caller.uid != 0 {
            return Err(ENOENT);
        }
        let id = self.add(Vnis::one(vni), shares_single)?;
        if let Some(profile) = self.get_mut(Some(id)) {
            profile.classes = CLASSES;
            profile.is_on = true;
            profile.admitted.add_uid(0)?;
        }
        Ok(id)
    }

    /// One number of a profile's. The last one is not given to those who take any.
    pub(super) fn take_pid(&mut self, id: u32, pid: u32) -> Answered<u32> {
        let pids = &mut self.0.get_mut(&id).ok_or(ENOENT)?.pids;
        let pid = if pid == ANY_PID {
            (0..ANY_PID - 1).find(|pid| !pids.contains(pid)).ok_or(ENOSPC)?
        } else {
            pid
        };
        if pids.insert(pid) { Ok(pid) } else { Err(EEXIST) }
    }

    pub(super) fn give_pid_back(&mut self, id: u32, pid: u32) {
        if let Some(profile) = self.0.get_mut(&id) {
            profile.pids.remove(&pid);
        }
    }
}
