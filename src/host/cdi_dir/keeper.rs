//! Keeps our spec in a CDI directory for as long as a daemon lives. What stands there is read again only when something there
//! has changed.

use std::path::PathBuf;
use std::time::SystemTime;

use super::directory::{CdiDirectory, PublishError};
use super::resolver::Resolver;
use super::spec_files;
use crate::host::files::atomic_file::WriteOutcome;
use crate::host::files::stamp::Stamp;
use crate::model::cdi::model::Spec;
use crate::model::cdi::resolution::Unresolved;

/// Our spec, and what runtimes make of it.
#[derive(Debug)]
pub struct SpecKeeper {
    resolver: Resolver,
    kept: Option<Kept>,
}

/// A look at which nothing was to be done.
#[derive(Debug)]
struct Kept {
    directory: CdiDirectory,
    spec: Option<Spec>,
    stamp: Stamp,
}

impl SpecKeeper {
    /// Runtimes look into the directories `usual`, by rising priority.
    pub fn new(usual: Vec<PathBuf>) -> Self {
        Self {
            resolver: Resolver::new(usual),
            kept: None,
        }
    }

    /// Makes the directory hold this spec of ours and no other; none removes ours. It is `now`.
    ///
    /// # Errors
    /// As those of [`CdiDirectory::publish`].
    pub fn keep(
        &mut self,
        directory: &CdiDirectory,
        spec: Option<&Spec>,
        now: SystemTime,
    ) -> Result<WriteOutcome, PublishError> {
        let nothing_to_do = if spec.is_some() {
            WriteOutcome::Unchanged
        } else {
            WriteOutcome::Absent
        };
        if let Some(kept) = &self.kept
            && (&kept.directory, kept.spec.as_ref()) == (directory, spec)
            && kept.stamp.holds()
        {
            return Ok(nothing_to_do);
        }
        self.kept = None;
        let stamp = stamp(directory, now);
        let outcome = directory.publish(spec)?;
        self.kept = (outcome == nothing_to_do).then(|| Kept {
            directory: directory.clone(),
            spec: spec.cloned(),
            stamp,
        });
        Ok(outcome)
    }

    /// Each device of `spec` that a runtime would not find. `is_kept` says that the directory has just been found, or made, to
    /// hold it.
    pub fn unresolved(&mut self, directory: &CdiDirectory, spec: &Spec, is_kept: bool, now: SystemTime) -> Unresolved {
        self.resolver.unresolved(&directory.file(), spec, is_kept, now)
    }
}

fn stamp(directory: &CdiDirectory, now: SystemTime) -> Stamp {
    let mut paths = spec_files::paths(&directory.path).unwrap_or_default();
    paths.extend([directory.path.clone(), directory.file(), directory.other_file()]);
    Stamp::of(paths.iter().map(PathBuf::as_path), now)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::host::files::stamp::State;
    use crate::model::cdi::format::SpecFormat;

    const SPEC: &str = "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices:\n\
        - {name: cxi0, containerEdits: {deviceNodes: [{path: /dev/cxi0, hostPath: /dev/cxi0}]}}\n";

    /// Until the file system's clock shows it.
    fn change(path: &Path, change: impl Fn()) {
        let before = State::of(path);
        while State::of(path) == before {
            change();
        }
    }

    #[test]
    fn what_changes_is_mended_however_often_it_was_found_good() {
        let folder = tempfile::tempdir().unwrap();
        let directory = CdiDirectory {
            path: folder.path().to_owned(),
            format: SpecFormat::Yaml,
        };
        let spec: Spec = serde_saphyr::from_str(SPEC).unwrap();
        let mut keeper = SpecKeeper::new(Vec::new());
        let mut keep = |spec: Option<&Spec>| {
            // Everything is old.
            let now = SystemTime::now() + Duration::from_secs(60);
            keeper.keep(&directory, spec, now).map_err(|error| error.to_string())
        };
        assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Written));
        let file = directory.file();
        let good = fs::read_to_string(&file).unwrap();
        for other in [good.replace("cxi0", "cxi1"), String::new(), "kind: other\n".repeat(2)] {
            // The second time, it is not read.
            assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Unchanged));
            assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Unchanged));
            change(&file, || fs::write(&file, &other).unwrap());
            assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Written), "{other}");
            assert_eq!(fs::read_to_string(&file).unwrap(), good);
        }
        let clash = folder.path().join("clash.yaml");
        fs::write(&clash, "").unwrap();
        assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Unchanged));
        assert_eq!(keep(Some(&spec)), Ok(WriteOutcome::Unchanged));
        change(&clash, || fs::write(&clash, &good).unwrap());
        assert!(keep(Some(&spec)).unwrap_err().contains("clash.yaml"));
        fs::remove_file(&clash).unwrap();
        assert_eq!(keep(None), Ok(WriteOutcome::Removed));
        assert_eq!(keep(None), Ok(WriteOutcome::Absent));
        change(folder.path(), || fs::write(&file, &good).unwrap());
        assert_eq!(keep(None), Ok(WriteOutcome::Removed));
    }
}
