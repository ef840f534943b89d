//! Which VNIs belong to whom: a profile for each single VNI, or one for a range.

use super::Answered;
use super::errno::EEXIST;

/// A VNI, or those that differ from it in these bits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vnis {
    pub(super) first: u32,
    pub(super) mask: u32,
}

impl Vnis {
    fn overlaps(self, other: Self) -> bool {
        (self.first ^ other.first) & !(self.mask | other.mask) == 0
    }

    fn is_exact(self) -> bool {
        self.mask == 0
    }
}

/// All profiles of a NIC. One whose service has lost it stays.
#[derive(Debug, Clone, Default)]
pub(super) struct Profiles {
    taken: Vec<(u32, Vnis)>,
    next: u32,
}

impl Profiles {
    /// A new profile. Single VNIs may be shared, as the driver has it since 2026-06.
    pub(super) fn add(&mut self, vnis: Vnis, shares_single: bool) -> Answered<u32> {
        let clashes =
            |(_, other): &(u32, Vnis)| vnis.overlaps(*other) && !(shares_single && vnis.is_exact() && other.is_exact());
        if self.taken.iter().any(clashes) {
            return Err(EEXIST);
        }
        self.next += 1;
        self.taken.push((self.next, vnis));
        Ok(self.next)
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.taken.retain(|(taken, _)| *taken != id);
    }

    pub(super) fn get(&self, id: u32) -> Option<Vnis> {
        let found = self.taken.iter().find(|(taken, _)| *taken == id);
        found.map(|(_, vnis)| *vnis)
    }
}
