//! How the loaders of glibc and of musl find the libraries that a library needs (`elf/dl-load.c`, `ldso/dynlink.c`).
//! Pure: what is on disk is asked of a [`Disk`], so that the same rules serve the host and an image.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Far above what any library needs in all; ends a host that was made to have no end.
const LIBRARY_LIMIT: usize = 512;

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
    /// What `$LIB` may mean.
    pub lib: Vec<String>,
    /// What `$PLATFORM` means.
    pub platform: &'static str,
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
    by: Option<usize>,
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
    /// There were too many libraries; the rest was not looked for.
    pub cut: bool,
}

impl Loading {
    /// What a name means after loading.
    pub fn get(&self, name: &str) -> Option<&Loaded> {
        self.loaded.iter().find(|loaded| loaded.is_called(name))
    }

    /// Versions that are not there. A library without any versions is taken as it is, as glibc does.
    pub fn unmet(&self) -> Vec<Unmet> {
        let asked = self
            .loaded
            .iter()
            .flat_map(|by| by.object.requires.iter().map(move |requirement| (by, requirement)));
        asked
            .filter(|(_, requirement)| !requirement.weak)
            .filter_map(|(by, requirement)| {
                let found = self.get(&requirement.library)?;
                let defines = &found.object.defines;
                (!defines.is_empty() && !defines.contains(&requirement.version)).then(|| Unmet {
                    by: by.path.clone(),
                    library: requirement.library.clone(),
                    version: requirement.version.clone(),
                    found: found.path.clone(),
                })
            })
            .collect()
    }
}

/// Loads as a program without an RPATH of its own does; names that are not `wanted` are neither loaded nor missing.
pub fn load(disk: &mut dyn Disk, search: &Search, start: &[Start], wanted: &dyn Fn(&str) -> bool) -> Loading {
    let mut loading = Loading::default();
    let mut queue: VecDeque<(Start, Option<usize>)> = start.iter().map(|start| (start.clone(), None)).collect();
    while let Some((start, by)) = queue.pop_front() {
        let name = match &start {
            Start::Name(name) => name.clone(),
            Start::File(path) => path.to_string_lossy().into_owned(),
        };
        if !wanted(&name) || loading.get(&name).is_some() || (search.kind == Kind::Musl && is_musl_itself(&name)) {
            continue;
        }
        if loading.missing.iter().any(|missing| missing.name == name) {
            continue;
        }
        if loading.loaded.len() + loading.missing.len() == LIBRARY_LIMIT {
            loading.cut = true;
            break;
        }
        match find(disk, search, &loading.loaded, &start, by) {
            Ok((path, object)) => {
                let at = loading.loaded.len();
                queue.extend(object.needed.iter().map(|name| (Start::Name(name.clone()), Some(at))));
                loading.loaded.push(Loaded { name, path, object, by });
            }
            Err(reason) => loading.missing.push(Missing {
                name,
                by: by.and_then(|by| loading.loaded.get(by)).map(|by| by.path.clone()),
                reason,
            }),
        }
    }
    loading
}

/// musl's loader is its libc, and takes these names of any version for itself (`ldso/dynlink.c`, `load_library`).
fn is_musl_itself(name: &str) -> bool {
    const RESERVED: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];
    let library = name.strip_prefix("lib");
    library.is_some_and(|library| RESERVED.iter().any(|reserved| library.starts_with(reserved)))
}

fn find(
    disk: &mut dyn Disk,
    search: &Search,
    loaded: &[Loaded],
    start: &Start,
    by: Option<usize>,
) -> Result<(PathBuf, Object), String> {
    let candidates = match start {
        Start::File(path) => vec![path.clone()],
        Start::Name(name) if name.contains('/') => {
            let origin = by.and_then(|by| loaded.get(by)).and_then(|by| by.path.parent());
            expand(name, origin.unwrap_or(Path::new("/")), search)
        }
        Start::Name(name) => candidates(disk, search, loaded, name, by),
    };
    let mut foreign = None;
    for path in candidates {
        match disk.look(&path) {
            Candidate::Absent => {}
            Candidate::WrongMachine => foreign = foreign.or(Some(path)),
            Candidate::Broken(reason) => return Err(format!("{}: {reason}", path.display())),
            Candidate::Library(object) => return Ok((path, object)),
        }
    }
    Err(match foreign {
        None => "not found".to_owned(),
        Some(path) => format!("not found: {} is for another machine", path.display()),
    })
}

/// Where a name is looked for, in order.
fn candidates(disk: &mut dyn Disk, search: &Search, loaded: &[Loaded], name: &str, by: Option<usize>) -> Vec<PathBuf> {
    let by = by.and_then(|by| loaded.get(by));
    let mut directories = Vec::new();
    match search.kind {
        Kind::Glibc => {
            if by.is_none_or(|by| by.object.runpath.is_none()) {
                directories.extend(
                    chain(loaded, by)
                        .filter(|by| by.object.runpath.is_none())
                        .flat_map(|by| written(&by.object.rpath, by, search)),
                );
            }
            directories.extend(search.library_path.iter().cloned());
            directories.extend(
                by.iter()
                    .flat_map(|by| written(by.object.runpath.as_deref().unwrap_or_default(), by, search)),
            );
        }
        Kind::Musl => {
            directories.extend(search.library_path.iter().cloned());
            directories.extend(
                chain(loaded, by)
                    .flat_map(|by| written(by.object.runpath.as_ref().unwrap_or(&by.object.rpath), by, search)),
            );
        }
    }
    let mut paths: Vec<PathBuf> = directories.iter().map(|directory| directory.join(name)).collect();
    let no_defaults = by.is_some_and(|by| by.object.no_defaults);
    let is_default = |path: &PathBuf| search.defaults.iter().any(|default| path.parent() == Some(default));
    if search.kind == Kind::Glibc {
        paths.extend(
            disk.cached(name)
                .into_iter()
                .filter(|path| !no_defaults || !is_default(path)),
        );
    }
    if !no_defaults {
        paths.extend(search.defaults.iter().map(|directory| directory.join(name)));
    }
    paths
}

/// A library, who asked for it, who asked for that one, and so on.
fn chain<'a>(loaded: &'a [Loaded], by: Option<&'a Loaded>) -> impl Iterator<Item = &'a Loaded> {
    std::iter::successors(by, |by| loaded.get(by.by?))
}

/// The directories of an RPATH or RUNPATH. One that is not absolute depends on where a program is started: left out.
fn written(entries: &[String], by: &Loaded, search: &Search) -> Vec<PathBuf> {
    let origin = by.path.parent().unwrap_or(Path::new("/"));
    entries.iter().flat_map(|entry| expand(entry, origin, search)).collect()
}

/// `$ORIGIN`, `$LIB` and `$PLATFORM`, with braces or without, in an absolute path.
fn expand(text: &str, origin: &Path, search: &Search) -> Vec<PathBuf> {
    let replaced = |text: &str, token: &str, with: &str| {
        text.replace(&format!("${{{token}}}"), with)
            .replace(&format!("${token}"), with)
    };
    let text = replaced(text, "ORIGIN", &origin.to_string_lossy());
    let text = replaced(&text, "PLATFORM", search.platform);
    let meanings: Vec<PathBuf> = search
        .lib
        .iter()
        .map(|lib| replaced(&text, "LIB", lib).into())
        .collect();
    let mut paths = Vec::new();
    for path in meanings.into_iter().filter(|path: &PathBuf| path.is_absolute()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}
