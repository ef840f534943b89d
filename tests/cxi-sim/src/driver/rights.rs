//! Domains and communication profiles: what an LNI needs to receive and to send, and where the right to a VNI is asked for. It
//! goes by the NIC's profiles, not by the LNI's service.

use super::Answered;
use super::errno::{EEXIST, EINVAL, ENOSPC, EPERM};
use super::nic::Nic;
use super::profiles::ANY_PID;
use super::service::Caller;

/// Communication profiles of a resource group.
const LCIDS: u32 = 16;
/// Classes of traffic; the first ones are of services.
const CLASSES: u32 = 8;
const ETHERNET: u32 = 4;
const TYPES: u32 = 4;

/// One place to receive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Domain {
    pub(super) lni: u32,
    pub(super) vni: u32,
    pub(super) pid: u32,
    profile: u32,
}

/// One way to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cp {
    pub(super) lni: u32,
    rgid: u32,
    lcid: u32,
}

/// What several of a resource group share.
#[derive(Debug, Clone, Copy)]
pub(super) struct SharedCp {
    what: Way,
    users: u32,
    /// None for Ethernet.
    profile: Option<u32>,
}

/// How something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) vni: u32,
    pub(super) class: u32,
    pub(super) kind: u32,
}

impl Way {
    /// The classes and types of the module's default, `LL_BE_BD_ET`.
    fn is_there(self) -> bool {
        match self.class {
            1 => matches!(self.kind, 0 | 3),
            3 => self.kind < 3,
            // The last class for Ethernet is of another setting.
            2 | 5 | 6 => self.kind == 0,
            _ => false,
        }
    }
}

fn is_vni(vni: u32) -> bool {
    vni > 0 && vni <= u32::from(u16::MAX)
}

impl Nic {
    /// Its number, with the one that it has of its VNI.
    pub(super) fn add_domain(
        &mut self,
        client: u32,
        caller: &Caller,
        lni: u32,
        vni: u32,
        pid: u32,
    ) -> Answered<(u32, u32)> {
        self.lni_of(client, lni)?;
        if !is_vni(vni) || pid > ANY_PID {
            return Err(EINVAL);
        }
        let who = self.who(caller);
        let profile = self.rx.by_right(&who, vni, self.parameters.shares_single_vnis)?;
        let placed = self.place(profile, vni, pid);
        let (id, pid) = placed.inspect_err(|_| self.rx.put(profile))?;
        let domain = Domain { lni, vni, pid, profile };
        self.domains.insert(id, domain);
        Ok((id, pid))
    }

    /// Two profiles of one VNI count their numbers apart, the NIC does not.
    fn place(&mut self, profile: u32, vni: u32, asked: u32) -> Answered<(u32, u32)> {
        let pid = self.rx.take_pid(profile, asked)?;
        if self
            .domains
            .values()
            .any(|domain| domain.vni == vni && domain.pid == pid)
        {
            // One that was to be any stays taken, so that the next one is tried then.
            if asked != ANY_PID {
                self.rx.give_pid_back(profile, pid);
            }
            return Err(EEXIST);
        }
        let id = (1..).find(|id| !self.domains.contains_key(id)).ok_or(ENOSPC)?;
        Ok((id, pid))
    }

    pub(super) fn free_domain(&mut self, client: u32, id: u32) -> Answered<()> {
        let domain = self.domains.get(&id).copied().ok_or(EINVAL)?;
        self.lni_of(client, domain.lni)?;
        self.domains.remove(&id);
        self.rx.give_pid_back(domain.profile, domain.pid);
        self.rx.put(domain.profile);
        Ok(())
    }

    /// The client's number for it, and the hardware's.
    pub(super) fn add_cp(&mut self, client: u32, caller: &Caller, lni: u32, way: Way) -> Answered<(u32, u32)> {
        let rgid = self.lni_of(client, lni)?.rgid;
        if way.class >= CLASSES || way.kind >= TYPES {
            return Err(EINVAL);
        }
        let profile = self.profile_for(caller, way)?;
        let shared = self.share_cp(rgid, way, profile);
        let lcid = shared.inspect_err(|_| self.put_tx(profile))?;
        let id = (0..).find(|id| !self.cps.contains_key(&(client, *id))).ok_or(ENOSPC)?;
        self.cps.insert((client, id), Cp { lni, rgid, lcid });
        Ok((id, lcid))
    }

    fn put_tx(&mut self, profile: Option<u32>) {
        if let Some(profile) = profile {
            self.tx.put(profile);
        }
    }

    /// With a use of it; none for Ethernet.
    fn profile_for(&mut self, caller: &Caller, way: Way) -> Answered<Option<u32>> {
        let who = self.who(caller);
        if way.class > ETHERNET {
            return match () {
                () if way.vni > 7 => Err(EINVAL),
                () if who.is_admin => Ok(None),
                () => Err(EPERM),
            };
        }
        if !is_vni(way.vni) {
            return Err(EINVAL);
        }
        let profile = self.tx.by_right(&who, way.vni, self.parameters.shares_single_vnis)?;
        let classes = self.tx.get(Some(profile)).map_or(0, |profile| profile.classes);
        if classes & 1 << way.class == 0 {
            self.tx.put(profile);
            return Err(EINVAL);
        }
        Ok(Some(profile))
    }

    /// Only the first of a group is shared. Those who share one may do so by different profiles; it keeps the first.
    fn share_cp(&mut self, rgid: u32, way: Way, profile: Option<u32>) -> Answered<u32> {
        let cps = &mut self.groups.get_mut(&rgid).ok_or(EINVAL)?.cps;
        if let Some(first) = cps.get_mut(&0).filter(|first| first.what == way) {
            first.users += 1;
            self.put_tx(profile);
            return Ok(0);
        }
        if !way.is_there() {
            return Err(EINVAL);
        }
        let lcid = (0..LCIDS).find(|lcid| !cps.contains_key(lcid)).ok_or(ENOSPC)?;
        let (what, users) = (way, 1);
        cps.insert(lcid, SharedCp { what, users, profile });
        Ok(lcid)
    }

    pub(super) fn free_cp(&mut self, client: u32, id: u32) -> Answered<()> {
        let cp = self.cps.remove(&(client, id)).ok_or(EINVAL)?;
        let group = self.groups.get_mut(&cp.rgid);
        let Some(cps) = group.map(|group| &mut group.cps) else {
            return Ok(());
        };
        let Some(shared) = cps.get_mut(&cp.lcid) else {
            return Ok(());
        };
        shared.users -= 1;
        if shared.users == 0 {
            let profile = shared.profile;
            cps.remove(&cp.lcid);
            self.put_tx(profile);
        }
        Ok(())
    }
}
