//! LNIs: uses of a service, each in a resource group of the hardware.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Answered;
use super::errno::{EBUSY, EINVAL, EKEYREVOKED, ENOSPC, EPERM};
use super::nic::Nic;
use super::rights::SharedCp;
use super::service::{Caller, ENABLED};

/// Resource groups for LNIs: one of 256 is nobody's, and the retry handler of a physical function has one.
const RGIDS: u32 = 255;

/// One use of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lni {
    pub(super) client: u32,
    pub(super) service: u32,
    pub(super) rgid: u32,
    /// It has ended, and is gone at this time.
    pub(super) until: Option<Duration>,
}

/// A resource group, shared by some LNIs of one service.
#[derive(Debug, Clone)]
pub(super) struct Group {
    service: u32,
    /// How many may share it, as it was when it was taken.
    share: u32,
    users: u32,
    pub(super) cps: BTreeMap<u32, SharedCp>,
}

impl Nic {
    /// As whom somebody is looked at: commands of a VF are carried out by a thread of its PF, root's in the first namespace.
    pub(super) fn who(&self, caller: &Caller) -> Caller {
        if self.is_physical {
            return *caller;
        }
        Caller {
            uid: 0,
            gid: 0,
            netns: 4_026_531_840,
            is_admin: true,
        }
    }

    pub(super) fn add_lni(&mut self, client: u32, caller: &Caller, id: u32) -> Answered<u32> {
        let who = self.who(caller);
        let service = self.services.get(&id).ok_or(EINVAL)?;
        if !service.is(ENABLED) {
            return Err(EKEYREVOKED);
        }
        if !service.admitted.admits(&who) {
            return Err(EPERM);
        }
        let rgid = self.take_group(id, service.lnis_per_rgid)?;
        let lni = (1..).find(|lni| !self.lnis.contains_key(lni)).ok_or(ENOSPC)?;
        let until = None;
        self.lnis.insert(
            lni,
            Lni {
                client,
                service: id,
                rgid,
                until,
            },
        );
        Ok(lni)
    }

    /// One of the service's that has room, or one that nobody has.
    fn take_group(&mut self, service: u32, share: u32) -> Answered<u32> {
        let has_room = |group: &Group| group.service == service && group.share == share && group.users < group.share;
        if let Some((rgid, group)) = self.groups.iter_mut().find(|(_, group)| has_room(group)) {
            group.users += 1;
            return Ok(*rgid);
        }
        let most = RGIDS - u32::from(self.is_physical);
        if u32::try_from(self.groups.len()).map_or(true, |taken| taken >= most) {
            return Err(ENOSPC);
        }
        let rgid = (1..=RGIDS).find(|rgid| !self.groups.contains_key(rgid)).ok_or(ENOSPC)?;
        let cps = BTreeMap::new();
        let group = Group {
            service,
            share,
            users: 1,
            cps,
        };
        self.groups.insert(rgid, group);
        Ok(rgid)
    }

    /// One that a client has and has not ended.
    pub(super) fn lni_of(&self, client: u32, lni: u32) -> Answered<Lni> {
        let found = self.lnis.get(&lni).copied();
        found
            .filter(|lni| lni.client == client && lni.until.is_none())
            .ok_or(EINVAL)
    }

    pub(super) fn free_lni(&mut self, client: u32, lni: u32) -> Answered<()> {
        self.lni_of(client, lni)?;
        let has_domain = self.domains.values().any(|domain| domain.lni == lni);
        if has_domain || self.cps.values().any(|cp| cp.lni == lni) {
            return Err(EBUSY);
        }
        let until = self.now + self.parameters.lingers;
        if let Some(found) = self.lnis.get_mut(&lni) {
            found.until = Some(until);
        }
        self.forget_lnis();
        Ok(())
    }

    /// Those whose time has come.
    pub(super) fn forget_lnis(&mut self) {
        let now = self.now;
        let is_over = |lni: &Lni| lni.until.is_some_and(|until| until <= now);
        let over: Vec<u32> = self
            .lnis
            .values()
            .filter(|lni| is_over(lni))
            .map(|lni| lni.rgid)
            .collect();
        self.lnis.retain(|_, lni| !is_over(lni));
        for rgid in over {
            if let Some(group) = self.groups.get_mut(&rgid) {
                group.users -= 1;
                if group.users == 0 {
                    self.groups.remove(&rgid);
                }
            }
        }
    }

    /// A file is closed: what was made through it ends.
    pub fn close(&mut self, client: u32) {
        let of_client = |lni: &u32| self.lnis.get(lni).is_some_and(|lni| lni.client == client);
        let domains: Vec<u32> = self
            .domains
            .iter()
            .filter(|(_, domain)| of_client(&domain.lni))
            .map(|(id, _)| *id)
            .collect();
        let cps: Vec<u32> = self
            .cps
            .keys()
            .filter(|(owner, _)| *owner == client)
            .map(|(_, id)| *id)
            .collect();
        let lnis: Vec<u32> = self.lnis.keys().filter(|lni| of_client(lni)).copied().collect();
        for domain in domains {
            let _ = self.free_domain(client, domain);
        }
        for cp in cps {
            let _ = self.free_cp(client, cp);
        }
        for lni in lnis {
            let _ = self.free_lni(client, lni);
        }
    }
}
