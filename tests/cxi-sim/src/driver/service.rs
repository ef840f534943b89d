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
/// Single VNIs of a service.
pub(super) const MOST_VNIS: usize = 4;
pub(super) const MEMBERS: u8 = 0x01;
pub(super) const VNIS: u8 = 0x02;
pub(super) const CLASSES: u8 = 0x04;
pub(super) const LIMITED: u8 = 0x08;
pub(super) const ENABLED: u8 = 0x10;
pub(super) const COUNTER_POOL: u8 = 0xc0;

/// Whoever sends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Effective user, as the host numbers it.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Inode of its network namespace.
    pub netns: u32,
    /// CAP_SYS_ADMIN and CAP_NET_RAW in the host's user namespace.
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
    /// By the two members of a descriptor. A namespace in it has no place for its number: a service takes 0 for it, or the
    /// number of the member before.
    pub(super) fn of_service(desc: &[u8]) -> Answered<Self> {
        let mut before = 0;
        Self::of(desc, |kind, id| {
            if kind != NETNS {
                before = id;
            }
            before
        })
    }

    /// The same; a profile takes 0 for it.
    pub(super) fn of_profile(desc: &[u8]) -> Answered<Self> {
        Self::of(desc, |kind, id| if kind == NETNS { 0 } else { id })
    }

    fn of(desc: &[u8], mut number: impl FnMut(u32, u32) -> u32) -> Answered<Self> {
        let mut admitted = Self::default();
        if u8_at(desc, 0) & MEMBERS == 0 {
            admitted.everybody = true;
            return Ok(admitted);
        }
        for place in 0..2 {
            let kind = u32_at(desc, 20 + 8 * place);
            let entries = match kind {
                UID => &mut admitted.uids,
                GID => &mut admitted.gids,
                NETNS => &mut admitted.netns,
                _ => continue,
            };
            insert(entries, number(kind, u32_at(desc, 16 + 8 * place)))?;
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

    /// Adds a user.
    pub(super) fn add_uid(&mut self, uid: u32) -> Answered<()> {
        insert(&mut self.uids, uid)
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
    /// For each of its VNIs, or in the first place for its range: profiles to send and to receive; none where it has lost it.
    pub(super) tx: [Option<u32>; MOST_VNIS],
    pub(super) rx: [Option<u32>; MOST_VNIS],
    pub(super) lnis_per_rgid: u32,
    pub(super) in_use: [u16; KINDS],
}

impl Service {
    /// After the driver's first checks; it admits nobody yet.
    pub(super) fn new(desc: &[u8; SIZE]) -> Answered<Self> {
        let limits = check(desc)?;
        Ok(Self {
            desc: *desc,
            is_group: false,
            admitted: Admitted::default(),
            limits,
            tle_pool: None,
            tx: [None; MOST_VNIS],
            rx: [None; MOST_VNIS],
            lnis_per_rgid: 1,
            in_use: [0; KINDS],
        })
    }

    pub(super) fn is(&self, flag: u8) -> bool {
        self.desc[0] & flag != 0
    }

    pub(super) fn id(&self) -> u32 {
        u32_at(&self.desc, ID)
    }

    pub(super) fn vni(&self, place: usize) -> u32 {
        u32::from(u16_at(&self.desc, 2 + 2 * place))
    }

    /// A bit for each class of traffic that it may have.
    pub(super) fn classes(&self) -> u8 {
        let may = |class: &u8| !self.is(CLASSES) || u8_at(&self.desc, 10 + usize::from(*class)) != 0;
        (0..5).filter(may).fold(0, |classes, class| classes | 1 << class)
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

    /// Places of its profiles that count.
    pub(super) fn vnis(&self) -> usize {
        usize::from(self.desc[1]).min(MOST_VNIS)
    }

    /// Those of its profiles that it has not lost: to send, and to receive.
    pub(super) fn profiles(&self) -> impl Iterator<Item = (Option<u32>, Option<u32>)> + use<> {
        let pairs: Vec<_> = self.tx.into_iter().zip(self.rx).take(self.vnis()).collect();
        pairs.into_iter()
    }

    /// Says whether it is on.
    pub(super) fn show(&mut self, on: bool) {
        if on {
            self.desc[0] |= ENABLED;
        } else {
            self.desc[0] &= !ENABLED;
        }
    }
}

/// What the driver looks at first, of a service that is made or changed; the limits in it.
pub(super) fn check(desc: &[u8; SIZE]) -> Answered<[Limit; KINDS]> {
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
    Ok(limits)
}
