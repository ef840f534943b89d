//! What is allowed, and probably not what is wanted.

use std::path::Path;

use super::loaded::LoadedConfig;
use super::problem::{Origin, Problem};

/// Where container runtimes look unless they are told otherwise.
const CDI_DIRECTORIES: [&str; 3] = ["/etc/cdi", "/var/run/cdi", "/run/cdi"];

impl LoadedConfig {
    /// What an admin should think about once more in the files, that of `--env-vars` among them. Who gives a flag has just
    /// thought about it.
    pub fn warnings(&self) -> Vec<Problem> {
        let settings = &self.settings;
        let mut warnings = Vec::new();
        let mut warn = |key: &str, reason: String| {
            let effective = self.effective.iter().find(|effective| effective.key == key);
            let origin = effective.map(|effective| effective.origin.clone());
            warnings.extend(origin.filter(is_of_file).map(|origin| Problem {
                origin,
                key: Some(key.to_owned()),
                reason,
            }));
        };
        let dir = &settings.cdi.dir;
        if !CDI_DIRECTORIES.iter().any(|usual| dir == Path::new(usual)) {
            let usual = "/etc/cdi and /var/run/cdi";
            warn(
                "cdi.dir",
                format!("runtimes look in {usual} unless they are told otherwise"),
            );
        } else if dir == Path::new("/etc/cdi") {
            let reason = "this is for files of admins, such as cxi-cdi-generator's; the daemon's place is /var/run/cdi";
            warn("cdi.dir", reason.to_owned());
        }
        if settings.health.poll.is_none() {
            let reason = "without looks now and then, what has no event is not seen, such as a retry handler that dies";
            warn("health.poll", reason.to_owned());
        }
        if let Some(reason) = settings.policy().replaced_library_path() {
            warn("container.env.LD_LIBRARY_PATH", reason.to_owned());
        }
        warnings
    }
}

fn is_of_file(origin: &Origin) -> bool {
    match origin {
        Origin::File { .. } => true,
        Origin::Flag { name } => name == "--env-vars",
        Origin::Environment { .. } | Origin::Preset { .. } | Origin::Default => false,
    }
}
