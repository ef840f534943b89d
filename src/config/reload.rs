//! What a new configuration changes in a running daemon, and what it cannot.

use super::inputs::Effective;
use super::settings::{Cdi, Checked, Log, Settings};

/// What a running daemon has opened or told to somebody: keys, or the beginnings of some.
const FIXED: [&str; 7] = [
    "daemon.",
    "roots.",
    "kubelet.",
    "cdi.dir",
    "resource[",
    "log.target",
    "log.format",
];

/// Keys whose values differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// They can count at once.
    pub now: Vec<String>,
    /// They take a restart.
    pub late: Vec<String>,
}

impl Checked {
    /// What is different in `next`.
    pub fn changes(&self, next: &Self) -> Changes {
        let lacks = |other: &Self, one: &Effective| !other.effective.iter().any(|another| same(one, another));
        let gone = self.effective.iter().filter(|old| lacks(next, old));
        let new = next.effective.iter().filter(|new| lacks(self, new));
        let mut keys: Vec<String> = gone.chain(new).map(|effective| effective.key.clone()).collect();
        keys.sort();
        keys.dedup();
        let (late, now) = keys.into_iter().partition(|key| is_fixed(key));
        Changes { now, late }
    }

    /// This configuration, with that of `running` where it cannot change.
    pub fn beside(mut self, running: &Self) -> Self {
        let old = running.settings.clone();
        let new = self.settings;
        self.settings = Settings {
            daemon: old.daemon,
            roots: old.roots,
            kubelet: old.kubelet,
            resource: old.resource,
            cdi: Cdi {
                dir: old.cdi.dir,
                ..new.cdi
            },
            log: Log {
                level: new.log.level,
                ..old.log
            },
            ..new
        };
        self.effective.retain(|effective| !is_fixed(&effective.key));
        let fixed = running.effective.iter().filter(|effective| is_fixed(&effective.key));
        self.effective.extend(fixed.cloned());
        self
    }
}

fn same(one: &Effective, other: &Effective) -> bool {
    one.key == other.key && one.value == other.value
}

fn is_fixed(key: &str) -> bool {
    FIXED.iter().any(|fixed| key.starts_with(fixed))
}
