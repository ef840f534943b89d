//! Whether the process of a container may read the libraries that its loader finds.

use super::facts::{FileInContainer, Identity};
use super::finding::ContainerFinding;
use crate::model::health::Verdict;

/// Bits of a mode, as those of all others.
const READ: u32 = 0o4;
const PASS: u32 = 0o1;

/// A finding for the files and directories that it may not.
pub(super) fn finding(files: &[FileInContainer], who: &Identity) -> Option<ContainerFinding> {
    let closed = files.iter().filter(|file| {
        let bit = if file.is_directory { PASS } else { READ };
        !who.may(file.mode, file.owner, bit)
    });
    let described = closed.map(|file| {
        let (uid, gid) = file.owner;
        format!(
            "{} has mode {:04o} and owner {uid}:{gid}",
            file.path.display(),
            file.mode
        )
    });
    let described: Vec<String> = described.collect();
    let reason = format!(
        "the process is user {} and may not read its libraries: {}",
        who.uid,
        described.join("; ")
    );
    (!described.is_empty()).then(|| ContainerFinding::new(Verdict::Fail, "library-mode", reason))
}

impl Identity {
    /// Whether these bits of a mode hold for it.
    pub(super) fn may(&self, mode: u32, owner: (u32, u32), bits: u32) -> bool {
        let shift = if owner.0 == self.uid {
            6
        } else if self.gids.contains(&owner.1) {
            3
        } else {
            0
        };
        self.overrides(owner) || mode >> shift & bits == bits
    }

    /// Whether modes of what belongs to this owner do not bind it.
    fn overrides(&self, (uid, gid): (u32, u32)) -> bool {
        let has = |ranges: &[(u32, u32)], id: u32| {
            let mut ranges = ranges.iter();
            ranges.any(|(first, count)| id.checked_sub(*first).is_some_and(|offset| offset < *count))
        };
        self.overrides_modes || (has(&self.overrides_of.0, uid) && has(&self.overrides_of.1, gid))
    }
}
