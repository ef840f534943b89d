//! One service, or one group of configfs.

use std::collections::BTreeSet;

use super::Answered;
use super::bytes::{put, u8_at, u16_at, u32_at};
use super::errno::{EBADR, EEXIST, EINVAL};
use super::pools::{KINDS, Limit, TOTALS};

/// Bytes of a descriptor, and where it has what.
pub(super) const SIZE: usize = 68;
const LIMITS: usize = 32;
const ID: usize = 64;
pub(super) const MEMBERS: u8 = 0x01;
pub(super) const VNIS: u8 = 0x02;
pub(super) const LIMITED: u8 = 0x08;
pub(super) const ENABLED: u8 = 0x10;

/// Whoever sends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Effective user, as the host numbers it.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Inode of its network namespace.
    pub netns: u32,
    /// CAP_SYS_ADMIN in the host's user namespace.
    pub is_admin: bool,
}

/// Whom it admits: entries of which no two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Admitted {
    uids: BTreeSet<u32>,
    gids: BTreeSet<u32>,
    netns: BTreeSet<u32>,
    everybody: bool,
}

/// Kinds of members in a descriptor.
const UID: u32 = 1;
const GID: u32 = 2;
const NETNS: u32 = 3;
const KINDS_OF_MEMBERS: u32 = 4;

impl Admitted {
    /// By the two members of a descriptor. A namespace in it has no place for its number: it gets 0, or that of the member before.
    fn of(desc: &[u8]) -> Answered<Self> {
        let mut admitted = Self::default();
        if u8_at(desc, 0) & MEMBERS == 0 {
            admitted.everybody = true;
            return Ok(admitted);
        }
        let mut data = 0;
        for place in 0..2 {
            let id = u32_at(desc, 16 + 8 * place);
            match u32_at(desc, 20 + 8 * place) {
                UID => {
                    data = id;
                    insert(&mut admitted.uids, data)?;
                }
                GID => {
                    data = id;
                    insert(&mut admitted.gids, data)?;
                }
                NETNS => insert(&mut admitted.netns, data)?,
                _ => {}
            }
        }
        Ok(admitted)
    }

    pub(super) fn admits(&self, caller: &Caller) -> bool {
        self.everybody
            || self.uids.contains(&caller.uid)
            || self.gids.contains(&caller.gid)
            || self.netns.contains(&caller.netns)
    }

    /// Whether a namespace can be added.
    pub(super) fn takes_netns(&self) -> bool {
        !self.everybody && self.uids.is_empty() && self.gids.is_empty()
    }

    /// Adds one to those that are admitted.
    pub(super) fn add_netns(&mut self, netns: u32) -> Answered<()> {
        insert(&mut self.netns, netns)
    }

    pub(super) fn lowest_netns(&self) -> Option<u32> {
        self.netns.first().copied()
    }
}

fn insert(set: &mut BTreeSet<u32>, id: u32) -> Answered<()> {
    if id == u32::MAX {
        return Err(EBADR);
    }
    set.insert(id).then_some(()).ok_or(EEXIST)
}

/// A service.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// As it was given; the number and whether it is on are the driver's.
    pub(super) desc: [u8; SIZE],
    /// Made in configfs: most commands know nothing of it.
    pub(super) is_group: bool,
    pub(super) admitted: Admitted,
    pub(super) limits: [Limit; KINDS],
    pub(super) tle_pool: Option<u32>,
    /// Of its VNIs; none in the place of one that it has lost.
    pub(super) profiles: Vec<Option<u32>>,
    /// Whether the profiles are on, and for the service alone.
    pub(super) profile_is_on: bool,
    pub(super) exclusive_cp: bool,
    pub(super) lnis_per_rgid: u32,
    pub(super) in_use: [u16; KINDS],
}

impl Service {
    /// After the driver's first checks.
    pub(super) fn check(desc: &[u8; SIZE]) -> Answered<Self> {
        let flags = desc[0];
        if flags & VNIS != 0 {
            let count = usize::from(desc[1]);
            if count > 4 || (0..count).any(|place| u16_at(desc, 2 + 2 * place) == 0) {
                return Err(EINVAL);
            }
        }
        if flags & MEMBERS != 0 && (0..2).any(|place| u32_at(desc, 20 + 8 * place) >= KINDS_OF_MEMBERS) {
            return Err(EINVAL);
        }
        let limits: [Limit; KINDS] = std::array::from_fn(|kind| Limit {
            max: u16_at(desc, LIMITS + 4 * kind),
            reserved: u16_at(desc, LIMITS + 4 * kind + 2),
        });
        let is_wrong = |(limit, total): (&Limit, &u16)| limit.max < limit.reserved || limit.max > *total;
        if flags & LIMITED != 0 && limits.iter().zip(&TOTALS).any(is_wrong) {
            return Err(EINVAL);
        }
        Ok(Self {
            desc: *desc,
            is_group: false,
            admitted: Admitted::of(desc)?,
            limits,
            tle_pool: None,
            profiles: Vec::new(),
            profile_is_on: false,
            exclusive_cp: false,
            lnis_per_rgid: 1,
            in_use: [0; KINDS],
        })
    }

    pub(super) fn is(&self, flag: u8) -> bool {
        self.desc[0] & flag != 0
    }

    pub(super) fn set_id(&mut self, id: u32) {
        put(&mut self.desc, ID, &id.to_le_bytes());
    }

    /// With the limits that it really has.
    pub(super) fn set_limits(&mut self, limits: [Limit; KINDS]) {
        self.limits = limits;
        for (kind, limit) in limits.iter().enumerate() {
            put(&mut self.desc, LIMITS + 4 * kind, &limit.max.to_le_bytes());
            put(&mut self.desc, LIMITS + 4 * kind + 2, &limit.reserved.to_le_bytes());
        }
    }

    pub(super) fn switch(&mut self, on: bool) {
        if on {
            self.desc[0] |= ENABLED;
        } else {
            self.desc[0] &= !ENABLED;
        }
        self.profile_is_on = on && !self.profiles.is_empty();
    }
}
