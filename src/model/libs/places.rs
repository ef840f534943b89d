//! Where the loaders of glibc and of musl look for a library, in their order (`elf/dl-load.c`, `ldso/dynlink.c`). Pure.

use std::path::{Path, PathBuf};

use super::effort::Effort;
use super::loader::{Candidate, Disk, Kind, Loaded, Object, Search, Stack, Start};

/// Why a library is missing that is nowhere.
pub const NOT_FOUND: &str = "not found";

/// The kernel opens no longer path.
const PATH_LIMIT: usize = 4096;
/// What a text may become before it is known to be too long for a path.
const EXPANDED_LIMIT: usize = 16 * PATH_LIMIT;

/// One library; or why there is none.
pub fn find(
    disk: &mut dyn Disk,
    search: &Search,
    loaded: &[Loaded],
    start: &Start,
    by: Option<usize>,
    effort: &mut Effort,
) -> Result<(PathBuf, Object), String> {
    let asking = by.and_then(|by| loaded.get(by));
    let mut places = Places {
        disk,
        effort,
        foreign: None,
    };
    let found = match start {
        Start::File(path) => places.look(path.clone()),
        Start::Name(name) if name.contains('/') => {
            let origin = asking.and_then(|by| by.path.parent());
            let mut paths = expand(name, origin.unwrap_or(Path::new("/")), search).into_iter();
            paths.find_map(|path| places.look(path))
        }
        Start::Name(name) => by_name(&mut places, search, loaded, name, asking),
    };
    found.unwrap_or_else(|| {
        Err(match (places.effort.cut(), places.foreign) {
            (Some(cut), _) => format!("not found: the search was cut, {cut}"),
            (None, None) => NOT_FOUND.to_owned(),
            (None, Some(path)) => format!("not found: {} is for another machine", path.display()),
        })
    })
}

/// What ends a search: the library, or why a loader gives up.
type End = Result<(PathBuf, Object), String>;

/// Where one library is looked for.
struct Places<'a> {
    disk: &'a mut dyn Disk,
    effort: &'a mut Effort,
    /// One for another machine that was passed over.
    foreign: Option<PathBuf>,
}

impl Places<'_> {
    /// None where the search goes on.
    fn look(&mut self, path: PathBuf) -> Option<End> {
        if path.as_os_str().len() > PATH_LIMIT || !self.effort.place(&path) {
            return None;
        }
        let candidate = self.disk.look(&path);
        if candidate != Candidate::Absent {
            self.effort.file();
        }
        match candidate {
            Candidate::Absent => None,
            Candidate::WrongMachine => {
                self.foreign.get_or_insert(path);
                None
            }
            Candidate::Broken(reason) => Some(Err(format!("{}: {reason}", path.display()))),
            Candidate::Library(object) => Some(Ok((path, object))),
        }
    }

    /// In the directories of these entries.
    fn in_entries<'e>(
        &mut self,
        entries: impl Iterator<Item = (&'e String, &'e Loaded)>,
        name: &str,
        search: &Search,
    ) -> Option<End> {
        for (entry, of) in entries {
            if !self.effort.entry() {
                return None;
            }
            let origin = of.path.parent().unwrap_or(Path::new("/"));
            // One that is not absolute depends on where a program is started, and is left out.
            for directory in expand(entry, origin, search) {
                let found = self.look(directory.join(name)).or_else(|| {
                    let stack = search.stack.as_ref().filter(|stack| stack.has(&of.path))?;
                    let is_for_containers = !self.disk.has_directory(&directory);
                    is_for_containers.then(|| self.in_directories(&stack.directories, name))?
                });
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    fn in_directories(&mut self, directories: &[PathBuf], name: &str) -> Option<End> {
        directories.iter().find_map(|directory| self.look(directory.join(name)))
    }
}

/// In the order of the loader.
fn by_name(
    places: &mut Places<'_>,
    search: &Search,
    loaded: &[Loaded],
    name: &str,
    by: Option<&Loaded>,
) -> Option<End> {
    if let Some((_, path)) = search.itself.as_ref().filter(|(itself, _)| itself == name) {
        // Whatever it says of itself: it runs.
        return places.look(path.clone()).map(|end| {
            end.or_else(|_| {
                let soname = Some(name.to_owned());
                Ok((
                    path.clone(),
                    Object {
                        soname,
                        ..Object::default()
                    },
                ))
            })
        });
    }
    let found = match search.kind {
        Kind::Glibc => {
            let runpath = by.and_then(|by| Some((by.object.runpath.as_ref()?, by)));
            let rpaths = runpath.is_none().then(|| of_chain(loaded, by, rpath));
            let runpath = runpath
                .into_iter()
                .flat_map(|(entries, by)| entries.iter().map(move |entry| (entry, by)));
            places
                .in_entries(rpaths.into_iter().flatten(), name, search)
                .or_else(|| places.in_directories(&search.library_path, name))
                .or_else(|| places.in_entries(runpath, name, search))
        }
        Kind::Musl => places
            .in_directories(&search.library_path, name)
            .or_else(|| places.in_entries(of_chain(loaded, by, either), name, search)),
    };
    let in_stack = |places: &mut Places<'_>, is_first| {
        let of_stack = |stack: &&Stack| stack.is_first == is_first && by.is_some_and(|by| stack.has(&by.path));
        let stack = search.stack.as_ref().filter(of_stack)?;
        places.in_directories(&stack.directories, name)
    };
    let found = found.or_else(|| in_stack(places, true));
    if found.is_some() {
        return found;
    }
    let no_defaults = by.is_some_and(|by| by.object.no_defaults);
    let is_default = |path: &PathBuf| search.defaults.iter().any(|default| path.parent() == Some(default));
    let cached = match search.kind {
        Kind::Glibc if search.has_cache => places.disk.cached(name),
        Kind::Glibc | Kind::Musl => Vec::new(),
    };
    let mut cached = cached.into_iter().filter(|path| !no_defaults || !is_default(path));
    let found = cached.find_map(|path| places.look(path));
    let found = found.or_else(|| {
        let defaults: &[PathBuf] = if no_defaults { &[] } else { &search.defaults };
        places.in_directories(defaults, name)
    });
    found.or_else(|| in_stack(places, false))
}

/// Where there is a RUNPATH, an RPATH does not count.
fn rpath(of: &Loaded) -> &[String] {
    match of.object.runpath {
        None => &of.object.rpath,
        Some(_) => &[],
    }
}

/// To musl they are the same.
fn either(of: &Loaded) -> &[String] {
    of.object.runpath.as_ref().unwrap_or(&of.object.rpath)
}

/// The entries of a library, of who asked for it, of who asked for that one, and so on.
fn of_chain<'a>(
    loaded: &'a [Loaded],
    by: Option<&'a Loaded>,
    entries: impl Fn(&'a Loaded) -> &'a [String],
) -> impl Iterator<Item = (&'a String, &'a Loaded)> {
    chain(loaded, by).flat_map(move |of| entries(of).iter().map(move |entry| (entry, of)))
}

/// A library, who asked for it, who asked for that one, and so on.
fn chain<'a>(loaded: &'a [Loaded], by: Option<&'a Loaded>) -> impl Iterator<Item = &'a Loaded> {
    std::iter::successors(by, |by| loaded.get(by.by?))
}

/// `$ORIGIN`, `$LIB` and `$PLATFORM`, with braces or without, in an absolute path.
fn expand(text: &str, origin: &Path, search: &Search) -> Vec<PathBuf> {
    let tokens = text.matches('$').count();
    if text.len() + tokens * origin.as_os_str().len() > EXPANDED_LIMIT {
        return Vec::new();
    }
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
