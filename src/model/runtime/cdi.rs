//! Whether a runtime honours the CDI names that kubelet passes on.

use serde::{Deserialize, Serialize};

use super::answer::RuntimeFacts;

/// What becomes of CDI names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CdiSupport {
    /// Nobody can tell.
    #[default]
    Unknown,
    /// It drops them without an error, and knows no better.
    Never,
    /// It drops them without an error; a switch of its own would change that.
    Off,
    /// It resolves them.
    On,
}

/// Since when containerd reads the field, and since when without being told to.
const CONTAINERD_KNOWS: Version = (1, 7);
const CONTAINERD_ON: Version = (2, 0);
/// Since when CRI-O reads the field, which came with this version of Kubernetes.
const CRIO_KNOWS: Version = (1, 28);

type Version = (u32, u32);

impl RuntimeFacts {
    /// What becomes of CDI names, and why that is said.
    pub fn cdi(&self) -> (CdiSupport, String) {
        let Self { name, version, .. } = self;
        let called = format!("{name} {version}");
        let Some(number) = number(version) else {
            let reason =
                format!("{called}: not a version that can be told, so whether it honours CDI names is not known");
            return (CdiSupport::Unknown, reason);
        };
        let enabled = self.settings.enable_cdi;
        match name.as_str() {
            "containerd" if number < CONTAINERD_KNOWS => never(&called),
            "containerd" if number < CONTAINERD_ON && enabled.is_none() => off(&called, "says nothing of enable_cdi"),
            "containerd" if enabled == Some(false) => off(&called, "says enable_cdi = false"),
            "containerd" => on(&called),
            "cri-o" if number < CRIO_KNOWS => never(&called),
            "cri-o" => on(&called),
            _ => (
                CdiSupport::Unknown,
                format!("{called}: whether it honours CDI names is not known"),
            ),
        }
    }

    /// Whether only its configuration can tell.
    pub fn depends_on_settings(&self) -> bool {
        self.name == "containerd" && number(&self.version).is_some_and(|number| number >= CONTAINERD_KNOWS)
    }
}

fn on(called: &str) -> (CdiSupport, String) {
    (CdiSupport::On, format!("{called} honours CDI names"))
}

fn off(called: &str, why: &str) -> (CdiSupport, String) {
    let reason = format!("{called} drops CDI names: its configuration {why}");
    (CdiSupport::Off, reason)
}

fn never(called: &str) -> (CdiSupport, String) {
    (CdiSupport::Never, format!("{called} drops CDI names, as it is too old"))
}

/// The first two numbers of a version such as `1.7.24~ds1`, `v2.4.2` or `2.0.0-rc.1`.
fn number(version: &str) -> Option<Version> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
    let major = parts.next()?.parse().ok()?;
    // What stands behind the second number, if there is no third.
    let minor = parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_of_runtimes() {
        use CdiSupport::{Never, Off, On, Unknown};
        for (name, version, enabled, expected) in [
            ("containerd", "1.4.13", None, Never),
            ("containerd", "1.6.20~ds1", None, Never),
            // Whatever somebody has written there, it does not know the field.
            ("containerd", "1.6.20~ds1", Some(true), Never),
            ("containerd", "1.7.24~ds1", None, Off),
            ("containerd", "1.7.24~ds1", Some(false), Off),
            ("containerd", "1.7.24~ds1", Some(true), On),
            ("containerd", "v1.7.23-k3s2", Some(true), On),
            ("containerd", "2.0.0-rc.1", Some(true), On),
            ("containerd", "2.0", Some(true), On),
            ("containerd", "v2.1.5", Some(false), Off),
            // It prints no enable_cdi any more.
            ("containerd", "v2.4.2", None, On),
            ("containerd", "10.0.1", None, On),
            ("cri-o", "1.27.8", None, Never),
            ("cri-o", "1.30.1", None, On),
            ("cri-o", "1.34.0-dev", None, On),
            ("docker", "28.3.0", None, Unknown),
            ("containerd", "", None, Unknown),
            ("containerd", "unknown", Some(true), Unknown),
            ("containerd", "2", None, Unknown),
            ("containerd", "-2.0", None, Unknown),
            ("containerd", "99999999999.1", None, Unknown),
            ("", "", None, Unknown),
            ("Containerd", "2.0.0", None, Unknown),
        ] {
            let mut facts = RuntimeFacts::new(Path::new("/x"), name, version);
            facts.settings.enable_cdi = enabled;
            let (support, reason) = facts.cdi();
            assert_eq!(support, expected, "{name} {version} {enabled:?}");
            assert!(reason.starts_with(&format!("{name} {version}")), "{reason}");
            // What the configuration decides, it must have been asked for.
            assert!(
                enabled.is_none() || facts.depends_on_settings() || matches!(support, Never | Unknown),
                "{name} {version}"
            );
        }
    }
}
