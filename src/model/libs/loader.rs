//! What the loaders of glibc and of musl go by, and what comes of loading. Pure: what is on disk is asked of a [`Disk`], so
//! that the same rules serve the host and an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a library says of itself and of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// DT_SONAME, where there is one.
    pub soname: Option<String>,
    /// DT_NEEDED, in order.
    pub needed: Vec<String>,
    /// DT_RPATH as it is written.
    pub rpath: Vec<String>,
    /// DT_RUNPATH as it is written. Where there is one, DT_RPATH does not count.
    pub runpath: Option<Vec<String>>,
    /// DF_1_NODEFLIB: its needs are not looked for in the default directories.
    pub no_defaults: bool,
    /// Symbol versions that it asks for.
    pub requires: Vec<Requirement>,
    /// Symbol versions that it has.
    pub defines: Vec<String>,
    /// What of this was left out, for people.
    pub unread: Vec<String>,
}

/// A symbol version that a library asks of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Name of the other library.
    pub library: String,
    /// Such as `GLIBC_2.34`.
    pub version: String,
    /// Loading goes on without it.
    pub weak: bool,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// Nothing; the search goes on.
    Absent,
    /// A library for another machine; the search goes on.
    WrongMachine,
    /// Something else, at which loaders give up.
    Broken(String),
    /// A library.
    Library(Object),
}

/// Where libraries may be.
pub trait Disk {
    /// What stands at a path.
    fn look(&mut self, path: &Path) -> Candidate;
    /// Where the loader's cache has a name.
    fn cached(&mut self, name: &str) -> Vec<PathBuf>;
    /// Whether a directory is there.
    fn has_directory(&mut self, path: &Path) -> bool;
}

/// A directory of libraries that belong together, as parts may be built to find each other in a container only. No loader
/// knows of it; who gives the host's libraries to containers looks there for what its libraries need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// By all its names.
    pub directories: Vec<PathBuf>,
    /// Before the loader's cache, and not only when all else fails. In either case in place of directories of an RPATH that are
    /// not there.
    pub is_first: bool,
}

impl Stack {
    /// Whether a library lies in it.
    pub fn has(&self, library: &Path) -> bool {
        self.directories
            .iter()
            .any(|directory| library.parent() == Some(directory))
    }
}

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// glibc's `ld-linux-*.so.*`.
    Glibc,
    /// musl's `ld-musl-*.so.1`: LD_LIBRARY_PATH first, RUNPATH like RPATH, no cache, and it is libc itself.
    Musl,
}

/// What a loader knows without any library.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whose rules hold.
    pub kind: Kind,
    /// LD_LIBRARY_PATH.
    pub library_path: Vec<PathBuf>,
    /// The directories built into the loader.
    pub defaults: Vec<PathBuf>,
    /// Whether it has a cache.
    pub has_cache: bool,
    /// What `$LIB` may mean.
    pub lib: Vec<String>,
    /// What `$PLATFORM` means.
    pub platform: &'static str,
    /// What belongs together.
    pub stack: Option<Stack>,
    /// The loader itself, which every program has loaded before it asks for anything: its name, and its file.
    pub itself: Option<(String, PathBuf)>,
}

/// What loading starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// As `dlopen` of a name.
    Name(String),
    /// As `dlopen` of a path.
    File(PathBuf),
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The name that was asked for.
    pub name: String,
    /// Where it was found.
    pub path: PathBuf,
    /// What it says.
    pub object: Object,
    /// Who asked, as a place in [`Loading::loaded`].
    pub(super) by: Option<usize>,
}

impl Loaded {
    /// Whether loading started with it.
    pub fn is_start(&self) -> bool {
        self.by.is_none()
    }

    /// Whether a name means this library.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.object.soname.as_deref() == Some(name)
    }
}

/// A library that was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The name that was asked for.
    pub name: String,
    /// The path of who asked; none for what loading started with.
    pub by: Option<PathBuf>,
    /// Why.
    pub reason: String,
}

/// A version that is asked for and not there, at which loading fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Who asks.
    pub by: PathBuf,
    /// Whom.
    pub library: String,
    /// For what.
    pub version: String,
    /// Which file was found under that name.
    pub found: PathBuf,
}

/// What came of loading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loading {
    /// In the order in which a loader takes them: breadth first.
    pub loaded: Vec<Loaded>,
    /// In the same order.
    pub missing: Vec<Missing>,
    /// What was too much, so that the rest was not looked for.
    pub cut: Option<String>,
}

impl Loading {
    /// What a name means after loading.
    pub fn get(&self, name: &str) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.is_called(name))
    }

    /// Versions that are not there. A library without any versions is taken as it is, as glibc does.
    pub fn unmet(&self) -> Vec<Unmet> {
        let mut named: BTreeMap<&str, &Loaded> = BTreeMap::new();
        for loaded in &self.loaded {
            named.entry(&loaded.name).or_insert(loaded);
            if let Some(soname) = &loaded.object.soname {
                named.entry(soname).or_insert(loaded);
            }
        }
        let defined = |loaded: &Loaded, version: &String| loaded.object.defines.contains(version);
        let asked = self
            .loaded
            .iter()
            .flat_map(|by| by.object.requires.iter().map(move |requirement| (by, requirement)));
        asked
            .filter(|(_, requirement)| !requirement.weak)
            .filter_map(|(by, requirement)| {
                let found = *named.get(requirement.library.as_str())?;
                let is_unmet = !found.object.defines.is_empty() && !defined(found, &requirement.version);
                is_unmet.then(|| Unmet {
                    by: by.path.clone(),
                    library: requirement.library.clone(),
                    version: requirement.version.clone(),
                    found: found.path.clone(),
                })
            })
            .collect()
    }
}
