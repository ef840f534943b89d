//! Where directories are for us that have a usual place on the host: with a prefix (`--root`) the usual place lies below it,
//! and what was given is taken as it is.

use std::path::{Path, PathBuf};

use super::roots::{RootArgs, Roots};

impl RootArgs {
    /// The directory that was given, else the usual one of the host.
    pub fn place(&self, given: Option<&Path>, usual: &str) -> PathBuf {
        given.map_or_else(|| self.usual_place(usual), Path::to_owned)
    }

    /// Where we find or make what the host has at its usual place.
    pub fn usual_place(&self, usual: &str) -> PathBuf {
        let only_prefix = Self {
            prefix: self.prefix.clone(),
            ..Self::default()
        };
        // A prefix that is no directory is an error wherever something is read below it.
        Roots::new(&only_prefix).map_or_else(|_| usual.into(), |roots| roots.place(Path::new(usual)))
    }
}

impl Roots {
    /// Where we find or make what the host has at this path, all links followed as the host follows them: `/var/run` is a
    /// link to `/run` there, which without this would lead out of the prefix. What is not there yet keeps its name.
    pub fn place(&self, host_path: &Path) -> PathBuf {
        if self.has_no_prefix() {
            return host_path.to_owned();
        }
        let (mut known, mut rest) = (host_path.to_owned(), PathBuf::new());
        // Each turn follows one link that leads nowhere yet, or goes one directory up.
        for _ in 0..LINKS_AND_PARTS {
            if let Ok(real) = self.resolve(&known) {
                return self.local_path(&real.join(&rest));
            }
            let parent = known.parent().and_then(|parent| self.resolve(parent).ok());
            let name = known.file_name().map(PathBuf::from);
            let target = parent.zip(name.clone()).and_then(|(parent, name)| {
                let target = self.link_target(&parent.join(name)).ok().flatten()?;
                Some(parent.join(target))
            });
            match (target, name) {
                (Some(target), _) => known = target,
                (None, Some(name)) => {
                    rest = name.join(&rest);
                    known.pop();
                }
                (None, None) => break,
            }
        }
        self.local_path(host_path)
    }
}

/// More than a path of the host needs; a circle of links ends here.
const LINKS_AND_PARTS: usize = 64;
