//! Whether runtimes find our devices in the CDI directories as these are now. A file is read again only when it has changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::spec_files::{self, text_in};
use crate::host::files::read::text;
use crate::host::files::stamp::{Stamp, State};
use crate::model::cdi::KIND;
use crate::model::cdi::model::Spec;
use crate::model::cdi::read::{self, Offered};
use crate::model::cdi::resolution::{self, OwnFile, Unresolved};
use crate::model::cdi::survey::SpecFile;

/// Where runtimes look for specs, by rising priority.
#[derive(Debug)]
pub(super) struct Resolver {
    usual: Vec<PathBuf>,
    files: BTreeMap<PathBuf, (State, Result<Offered, String>)>,
    last: Option<Look>,
}

/// A look, and what came of it.
#[derive(Debug)]
struct Look {
    own: PathBuf,
    spec: Spec,
    is_kept: bool,
    stamp: Stamp,
    unresolved: Unresolved,
}

impl Resolver {
    /// With the directories that runtimes read by default.
    pub(super) fn new(usual: Vec<PathBuf>) -> Self {
        Self {
            usual,
            files: BTreeMap::new(),
            last: None,
        }
    }

    /// Each device of `spec` that a runtime would not find now as it is there. `is_kept` says that our file `own` has just been
    /// found, or made, to say what the spec does. Its directory comes last where it is none of the usual ones, for a site that
    /// has told its runtimes of another one.
    pub(super) fn unresolved(&mut self, own: &Path, spec: &Spec, is_kept: bool, now: SystemTime) -> Unresolved {
        if let Some(last) = &self.last
            && (last.own.as_path(), last.is_kept) == (own, is_kept)
            && last.spec == *spec
            && last.stamp.holds()
        {
            return last.unresolved.clone();
        }
        let directories = self.by_priority(own);
        let listed = directories.iter().map(|directory| spec_files::paths(directory));
        let listed: Vec<Vec<PathBuf>> = listed.map(Result::unwrap_or_default).collect();
        let looked_at = self.usual.iter().chain(&directories).chain(listed.iter().flatten());
        let stamp = Stamp::of(looked_at.map(PathBuf::as_path), now);
        self.files
            .retain(|path, _| listed.iter().flatten().any(|there| there == path));
        let mut file = |path| {
            if is_kept && path == own {
                let content = Ok(Offered::from(spec));
                return SpecFile { path, content };
            }
            self.file(path, now)
        };
        let surveyed = listed
            .into_iter()
            .map(|paths| paths.into_iter().map(&mut file).collect());
        let surveyed: Vec<Vec<SpecFile>> = surveyed.collect();
        let found = (!is_kept).then(|| own_spec(own)).flatten();
        let own_file = OwnFile {
            path: own,
            says: if is_kept { Some(spec) } else { found.as_ref() },
        };
        let unresolved = resolution::unresolved(&surveyed, own_file, spec);
        self.last = Some(Look {
            own: own.to_owned(),
            spec: spec.clone(),
            is_kept,
            stamp,
            unresolved: unresolved.clone(),
        });
        unresolved
    }

    /// Our own directory once, at the place where runtimes have it: /run/cdi is /var/run/cdi.
    fn by_priority(&self, own: &Path) -> Vec<PathBuf> {
        let own = own.parent().unwrap_or(Path::new("/"));
        let number = |directory: &Path| fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()));
        let of_own = number(own);
        let is_own = |directory: &PathBuf| directory == own || (of_own.is_some() && number(directory) == of_own);
        let mut directories = self.usual.clone();
        match directories.iter().position(is_own) {
            Some(place) => {
                if let Some(directory) = directories.get_mut(place) {
                    own.clone_into(directory);
                }
            }
            None => directories.push(own.to_owned()),
        }
        directories
    }

    /// What a file offers of our kind; of others, nothing is kept.
    fn file(&mut self, path: PathBuf, now: SystemTime) -> SpecFile {
        let state = State::of(&path);
        if let Some((before, content)) = self.files.get(&path)
            && state == Some(*before)
        {
            let content = content.clone();
            return SpecFile { path, content };
        }
        let text = text_in(path.parent().unwrap_or(Path::new("/")));
        let offered = text(&path).and_then(|text| read::read(&text).map_err(|reason| reason.to_string()));
        let content = offered.map(|mut offered| {
            if offered.kind != KIND {
                offered.devices = Vec::new();
            }
            offered
        });
        if let Some(state) = state.filter(|state| state.is_settled(now)) {
            self.files.insert(path.clone(), (state, content.clone()));
        }
        SpecFile { path, content }
    }
}

/// What our file says, if it is one such as we write.
fn own_spec(path: &Path) -> Option<Spec> {
    serde_saphyr::from_str(&text(path).ok()?).ok()
}
