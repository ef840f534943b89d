//! What a new configuration changes in a running daemon, and what it cannot.

use super::inputs::Effective;
use super::loaded::LoadedConfig;
use super::settings::{CdiSettings, LogSettings, Settings};

/// What a running daemon has opened or told to somebody: keys, or the beginnings of some.
const FIXED: [&str; 10] = [
    "daemon.",
    "roots.",
    "kubelet.",
    "runtime.",
    "cdi.dir",
    "resource[",
    "export.",
    "isolation.",
    "log.target",
    "log.format",
];

/// Keys whose values differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// They can count at once.
    pub now: Vec<String>,
    /// They take a restart.
    pub needs_restart: Vec<String>,
}

impl LoadedConfig {
    /// What is different in `next`.
    pub fn changes(&self, next: &Self) -> Changes {
        let lacks = |other: &Self, one: &Effective| !other.effective.iter().any(|another| same(one, another));
        let gone = self.effective.iter().filter(|old| lacks(next, old));
        let new = next.effective.iter().filter(|new| lacks(self, new));
        let mut keys: Vec<String> = gone.chain(new).map(|effective| effective.key.clone()).collect();
        keys.sort();
        keys.dedup();
        let (needs_restart, now) = keys.into_iter().partition(|key| is_fixed(key));
        Changes { now, needs_restart }
    }

    /// This configuration, with that of `running` where it cannot change.
    pub fn keeping_fixed_of(mut self, running: &Self) -> Self {
        let old = running.settings.clone();
        let new = self.settings;
        self.settings = Settings {
            daemon: old.daemon,
            roots: old.roots,
            kubelet: old.kubelet,
            runtime_endpoint: old.runtime_endpoint,
            resource: old.resource,
            cdi: CdiSettings {
                dir: old.cdi.dir,
                ..new.cdi
            },
            export: old.export,
            isolation: old.isolation,
            log: LogSettings {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::config::Fragment;

    /// Every table, each with a key that takes a restart and one that counts at once, where it has both.
    fn checked(fixed: &str, free: &str, format: &str) -> LoadedConfig {
        let target = if fixed == "1" { "target = \"stderr\"\n" } else { "" };
        let text = format!(
            "exclude = [\"{free}\"]\n[daemon]\nrun_dir = \"/{fixed}\"\n[roots]\nsysfs = \"/{fixed}\"\n\
             [kubelet]\ndir = \"/{fixed}\"\n[runtime]\nendpoint = \"unix:///{fixed}\"\n[cdi]\ndir = \"/{fixed}\"\nnames = [\"pci\"]\n[container.env]\nA = \"{free}\"\n\
             [[resource]]\nname = \"{fixed}.x/y\"\n[health]\npoll = \"{free}s\"\n[cxi_service]\nuid = {free}\n[log]\nformat = \"{format}\"\n{target}"
        );
        LoadedConfig::from_fragments(vec![Fragment::parse(Path::new("test.toml"), &text)]).unwrap()
    }

    #[test]
    fn what_is_fixed_stays_and_the_rest_is_new() {
        let (running, next) = (checked("1", "1", "text"), checked("2", "2", "json"));
        let both = next.clone().keeping_fixed_of(&running);
        assert_eq!(both.settings, checked("1", "2", "text").settings);
        let changes = running.changes(&next);
        assert_eq!(
            changes.now,
            ["container.env.A", "cxi_service.uid", "exclude", "health.poll"]
        );
        let late = [
            "cdi.dir",
            "daemon.run_dir",
            "kubelet.dir",
            "log.format",
            "log.target",
            "resource[0].name",
            "roots.sysfs",
            "runtime.endpoint",
        ];
        assert_eq!(changes.needs_restart, late);
        // What waits for the restart still differs the next time, and nothing else does.
        let changes = both.changes(&next);
        assert_eq!(
            (changes.now.as_slice(), changes.needs_restart.as_slice()),
            (&[][..], &late.map(str::to_owned)[..])
        );
    }
}
