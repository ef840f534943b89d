//! Whether runtimes find our devices in the CDI directories as these are now. A file is read again only when it has changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::spec_files::{self, text_in};
use crate::host::files::read::text;
use crate::model::cdi::KIND;
use crate::model::cdi::model::Spec;
use crate::model::cdi::read::{self, Offered};
use crate::model::cdi::resolution::{self, OwnFile, Unresolved};
use crate::model::cdi::survey::SpecFile;

/// What tells one state of a file from another.
type Identity = (u64, u64, u64, i64, i64, i64, i64);

/// Where runtimes look for specs, by rising priority.
#[derive(Debug)]
pub struct Resolver {
    directories: Vec<PathBuf>,
    own: PathBuf,
    files: BTreeMap<PathBuf, (Identity, Result<Offered, String>)>,
    last: Option<Look>,
}

/// A look, and what came of it.
#[derive(Debug)]
struct Look {
    spec: Spec,
    is_written: bool,
    files: Vec<Option<Identity>>,
    unresolved: Unresolved,
}

impl Resolver {
    /// With our file `own`, and the directories that runtimes read by default. The directory of `own` comes last where it is
    /// none of these, for a site that has told its runtimes of another one.
    pub fn new(usual: Vec<PathBuf>, own: PathBuf) -> Self {
        Self {
            directories: usual,
            own,
            files: BTreeMap::new(),
            last: None,
        }
    }

    /// From now on this is our file.
    pub fn own_is(&mut self, own: PathBuf) {
        self.own = own;
        self.last = None;
    }

    /// Each device of `spec` that a runtime would not find now as it is there. `is_written` says that our file has just been
    /// found, or made, to say what the spec does.
    pub fn unresolved(&mut self, spec: &Spec, is_written: bool) -> Unresolved {
        let directories = self.by_priority();
        let listed = directories.iter().map(|directory| spec_files::paths(directory));
        let listed: Vec<Vec<PathBuf>> = listed.map(Result::unwrap_or_default).collect();
        let identities: Vec<_> = listed.iter().flatten().map(|path| identity(path)).collect();
        if let Some(last) = &self.last
            && (last.is_written, &last.files) == (is_written, &identities)
            && last.spec == *spec
        {
            return last.unresolved.clone();
        }
        self.files
            .retain(|path, _| listed.iter().flatten().any(|there| there == path));
        let mut file = |path| {
            if is_written && path == self.own {
                let content = Ok(Offered::from(spec));
                return SpecFile { path, content };
            }
            self.file(path)
        };
        let surveyed = listed
            .into_iter()
            .map(|paths| paths.into_iter().map(&mut file).collect());
        let surveyed: Vec<Vec<SpecFile>> = surveyed.collect();
        let found = (!is_written).then(|| own_spec(&self.own)).flatten();
        let own = OwnFile {
            path: &self.own,
            says: if is_written { Some(spec) } else { found.as_ref() },
        };
        let unresolved = resolution::unresolved(&surveyed, own, spec);
        self.last = Some(Look {
            spec: spec.clone(),
            is_written,
            files: identities,
            unresolved: unresolved.clone(),
        });
        unresolved
    }

    /// Our own directory once, at the place where runtimes have it: /run/cdi is /var/run/cdi.
    fn by_priority(&self) -> Vec<PathBuf> {
        let own = self.own.parent().unwrap_or(Path::new("/"));
        let number = |directory: &Path| fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()));
        let of_own = number(own);
        let is_own = |directory: &PathBuf| directory == own || (of_own.is_some() && number(directory) == of_own);
        let mut directories: Vec<PathBuf> = self.directories.clone();
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
    fn file(&mut self, path: PathBuf) -> SpecFile {
        let now = identity(&path);
        if let Some((before, content)) = self.files.get(&path)
            && Some(*before) == now
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
        if let Some(now) = now {
            self.files.insert(path.clone(), (now, content.clone()));
        }
        SpecFile { path, content }
    }
}

/// What our file says, if it is one such as we write.
fn own_spec(path: &Path) -> Option<Spec> {
    serde_saphyr::from_str(&text(path).ok()?).ok()
}

fn identity(path: &Path) -> Option<Identity> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ))
}
