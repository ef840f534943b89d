//! What a NIC has, and what its services have reserved of it.

use super::errno::ENOSPC;

/// Kinds of resources in the order of every array: PTE TXQ TGQ EQ CT LE TLE AC.
pub(super) const KINDS: usize = 8;
pub(super) const LE: usize = 5;
pub(super) const TLE: usize = 6;
/// What a NIC has of each.
pub(super) const TOTALS: [u16; KINDS] = [2048, 1024, 512, 2047, 2047, 16384, 2048, 1022];
/// The least that a pool of trigger list entries has.
const LEAST_TLES: u16 = 8;
/// Pools of them; the default service has the first.
const TLE_POOLS: u32 = 4;
/// Pools of list entries; the first is for everybody without one.
const LE_POOLS: usize = 16;

/// Of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) max: u16,
    pub(super) reserved: u16,
}

/// What a refusal says beside its number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FailInfo {
    pub(super) available: [u16; KINDS],
    pub(super) no_le_pools: bool,
    pub(super) no_tle_pools: bool,
}

/// What the services have reserved.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserved {
    counts: [u16; KINDS],
    le_pools: usize,
    tle_pools: Vec<u32>,
}

impl Reserved {
    fn left(&self, kind: usize) -> u16 {
        TOTALS[kind].saturating_sub(self.counts[kind])
    }

    /// Takes what a service wants, and makes of its limits what they really are. The number of its pool of trigger list entries.
    pub(super) fn take(
        &mut self,
        limits: &mut [Limit; KINDS],
        has_limits: bool,
        is_default: bool,
        fail: &mut FailInfo,
    ) -> Result<Option<u32>, i32> {
        if !has_limits {
            *limits = std::array::from_fn(|kind| Limit {
                max: TOTALS[kind],
                reserved: 0,
            });
        }
        for (kind, limit) in limits.iter_mut().enumerate() {
            if *limit == Limit::default() {
                continue;
            }
            if kind == TLE {
                if !is_default {
                    limit.reserved = limit.reserved.max(LEAST_TLES);
                    limit.max = limit.reserved;
                }
                continue;
            }
            fail.available[kind] = self.left(kind);
            if limit.reserved > self.left(kind) {
                return Err(ENOSPC);
            }
        }
        let le_pool = limits[LE].reserved > 0;
        if le_pool && self.le_pools >= LE_POOLS - 1 {
            fail.no_le_pools = true;
            return Err(ENOSPC);
        }
        let mut pool = None;
        if limits[TLE] != Limit::default() {
            if limits[TLE].reserved > self.left(TLE) {
                return Err(ENOSPC);
            }
            let free = (0..TLE_POOLS).find(|pool| !self.tle_pools.contains(pool));
            let Some(free) = free else {
                fail.no_tle_pools = true;
                return Err(ENOSPC);
            };
            self.tle_pools.push(free);
            pool = Some(free);
        }
        self.le_pools += usize::from(le_pool);
        for (count, limit) in self.counts.iter_mut().zip(limits.iter()) {
            *count += limit.reserved;
        }
        Ok(pool)
    }

    /// Gives back what a service had.
    pub(super) fn give_back(&mut self, limits: &[Limit; KINDS], pool: Option<u32>) {
        self.le_pools -= usize::from(limits[LE].reserved > 0);
        self.tle_pools.retain(|taken| Some(*taken) != pool);
        for (count, limit) in self.counts.iter_mut().zip(limits) {
            *count -= limit.reserved;
        }
    }
}
