//! The host's libfabric and libcxi, and what else containers get of its libraries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::candidates::{self, Candidate};
use super::closure::LibraryTree;
use super::family::{Family, LIBCXI, LIBFABRIC};
use super::{access, closure, elf, whole_directory};
use crate::host::files::roots::Roots;
use crate::model::libs::choice::{Because, LibraryChoice, PassedOver};
use crate::model::libs::given;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::libs::loader;
use crate::model::nic::inventory::{Library, LibraryDirectory};
use crate::model::reading::{ReadError, Reading};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// In the order in which they are mounted.
    pub libraries: Vec<Library>,
    /// The directory that containers get as a whole.
    pub directory: Option<LibraryDirectory>,
    /// Which of several were taken.
    pub choices: Vec<LibraryChoice>,
    /// What is missing or no library.
    pub problems: Vec<ReadError>,
    /// What of the needs is missing.
    pub needs: Vec<ReadError>,
    /// What not everybody may read.
    pub restricted: Vec<ReadError>,
}

impl Found {
    /// All that is to be said.
    pub fn said(self) -> Vec<ReadError> {
        [self.problems, self.needs, self.restricted].concat()
    }
}

/// The host's libraries for containers, and those at the paths of `extra`.
pub fn find(roots: &Roots, mode: LibraryMode, extra: &[PathBuf]) -> Found {
    let mut found = match mode {
        LibraryMode::None => Found::default(),
        LibraryMode::Listed | LibraryMode::Directory | LibraryMode::Closure | LibraryMode::ClosureAll => listed(roots),
    };
    let mut starts = vec![LIBFABRIC.soname.to_owned(), LIBCXI.soname.to_owned()];
    for path in extra {
        match roots
            .resolve(path)
            .and_then(|file| library(roots, file, vec![path.clone()], path))
        {
            Ok(library) => {
                starts.push(library.soname.clone());
                found.libraries.push(library);
            }
            Err(read_error) => found.problems.push(read_error),
        }
    }
    found.libraries = ours_to_give(found.libraries, &mut found.problems);
    match mode {
        LibraryMode::None | LibraryMode::Listed => {}
        LibraryMode::Directory => found.directory = whole_directory::of(roots, &found.libraries, &mut found.problems),
        LibraryMode::Closure | LibraryMode::ClosureAll => {
            let all = mode == LibraryMode::ClosureAll;
            let libraries = closure::with_needed(roots, found.libraries, &starts, all, &mut found.needs);
            found.libraries = ours_to_give(libraries, &mut found.needs);
        }
    }
    found.restricted = access::restricted(roots, &found.libraries, found.directory.as_ref());
    found
}

fn ours_to_give(libraries: Vec<Library>, problems: &mut Vec<ReadError>) -> Vec<Library> {
    let given = libraries.into_iter().filter_map(|library| given(library, problems));
    given.collect()
}

/// A library as containers get it, whatever brought it up; one that is not ours to give is noted.
fn given(mut library: Library, problems: &mut Vec<ReadError>) -> Option<Library> {
    let of_file = given::refused_name(&library.soname).or_else(|| given::refused_path(&library.file));
    if let Some(reason) = of_file {
        problems.push(closure::not_given(&library.file, &reason));
        return None;
    }
    library.paths.retain(|path| match given::refused_path(path) {
        Some(reason) => {
            problems.push(closure::not_given(path, &reason));
            false
        }
        None => true,
    });
    (!library.paths.is_empty()).then_some(library)
}

/// A library file under these paths; one without a name of its own has that of `named`.
fn library(roots: &Roots, file: PathBuf, paths: Vec<PathBuf>, named: &Path) -> Reading<Library> {
    let opened = roots.open_plain(&file).map_err(|error| ReadError::new(&file, error))?;
    let shared_object = elf::read(opened).map_err(|error| ReadError::new(&file, error))?;
    let name = || named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Library {
        soname: shared_object.soname.unwrap_or_else(name),
        file,
        paths,
        asked_by_path: Vec::new(),
        triplet: shared_object.triplet,
    })
}

/// libfabric, and the libcxi that goes with it.
fn listed(roots: &Roots) -> Found {
    let (mut found, mut tree) = (Found::default(), LibraryTree::new(roots));
    candidates::note_default(roots, &mut found.problems);
    let fabrics = candidates::of_libfabric(roots, &mut tree);
    family(roots, &LIBFABRIC, &fabrics, &mut found);
    let fabric = found.libraries.first().map(path_by_soname);
    let of_cxi = candidates::of_libcxi(roots, &mut tree, fabric.as_deref());
    family(roots, &LIBCXI, &of_cxi, &mut found);
    if let Some(fabric) = fabric {
        note_paths(roots, &fabric, &mut found.libraries);
    }
    found
}

/// The path that a loader would take.
fn path_by_soname(library: &Library) -> PathBuf {
    let mut paths = library.paths.iter();
    let by_soname = paths.find(|path| path.ends_with(&library.soname));
    by_soname.unwrap_or(&library.file).clone()
}

/// Where libfabric asks for one of these by its path, containers need it there.
fn note_paths(roots: &Roots, fabric: &Path, libraries: &mut [Library]) {
    let loader::Candidate::Library(object) = closure::look(roots, fabric) else {
        return;
    };
    let paths = object.needed.iter().filter(|need| need.contains('/'));
    for need in paths.filter(|need| given::refused_need(need).is_none()) {
        let path = PathBuf::from(need);
        let Ok(file) = roots.resolve(&path) else { continue };
        let asked = libraries.iter_mut().find(|library| library.file == file);
        asked
            .into_iter()
            .for_each(|library| library.asked_by_path.push(path.clone()));
    }
}

/// Takes the libraries of the first directory that has any.
fn family(roots: &Roots, family: &Family, candidates: &[Candidate], found: &mut Found) {
    for (at, candidate) in candidates.iter().enumerate() {
        let libraries = in_directory(roots, family, &candidate.directory, &mut found.problems);
        let Some(file) = libraries.first().map(|library| library.file.clone()) else {
            continue;
        };
        let (before, after) = (candidates.iter().take(at), candidates.iter().skip(at + 1));
        found.choices.push(LibraryChoice {
            soname: family.soname,
            directory: candidate.directory.clone(),
            because: candidate.because,
            passed_over: before
                .chain(after)
                .filter_map(|other| passed_over(roots, family, other, candidate, &file))
                .fold(Vec::new(), distinct),
        });
        found.libraries.extend(libraries);
        return;
    }
    let reason = format!(
        "not found (searched {}): containers do not get it from the host",
        searched(roots, family)
    );
    found.problems.push(ReadError::new(family.soname, reason));
}

fn distinct(mut all: Vec<PassedOver>, next: PassedOver) -> Vec<PassedOver> {
    if all.iter().all(|known| known.directory != next.directory) {
        all.push(next);
    }
    all
}

/// Another file of the name, if there is one.
fn passed_over(
    roots: &Roots,
    family: &Family,
    other: &Candidate,
    taken: &Candidate,
    file: &Path,
) -> Option<PassedOver> {
    let real = roots.resolve(&other.directory.join(family.soname)).ok()?;
    (real != file).then(|| PassedOver {
        directory: other.directory.clone(),
        reason: match (taken.because, other.because) {
            (Because::Release, Because::Release) => "an older release".to_owned(),
            (Because::Needed, _) => "this libfabric does not load it from there".to_owned(),
            (Because::Loader, Because::Loader) => "the host's loader takes another one first".to_owned(),
            (taken, Because::Release) => format!("a release; {taken} goes first"),
            (taken, other) => format!("{other}; {taken} goes first"),
        },
    })
}

/// Where was looked.
fn searched(roots: &Roots, family: &Family) -> String {
    match family.set(roots) {
        Some(set) => set.display().to_string(),
        None => format!(
            "{}, the loader's cache and its own directories",
            family.usual.join(", ")
        ),
    }
}

fn in_directory(roots: &Roots, family: &Family, directory: &Path, problems: &mut Vec<ReadError>) -> Vec<Library> {
    // The directory itself may be a link, which means a path of the host.
    let names = roots
        .resolve(directory)
        .and_then(|real| roots.names(&real))
        .unwrap_or_default();
    let mut paths_by_file: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in names
        .iter()
        .filter(|name| family.includes(name))
        .map(|name| directory.join(name))
    {
        match roots.resolve(&path) {
            Ok(file) => paths_by_file.entry(file).or_default().push(path),
            Err(read_error) => problems.push(read_error),
        }
    }
    let mut libraries = Vec::new();
    for (file, paths) in paths_by_file {
        match library(roots, file, paths, Path::new(family.soname)) {
            Ok(library) => match given::refused_of_family(&library.soname, family.name) {
                Some(reason) => problems.push(closure::not_given(&library.file, &reason)),
                None => libraries.push(library),
            },
            Err(read_error) => problems.push(read_error),
        }
    }
    // Of several versions that share a soname, the one that the loader takes comes first: the soname's link is its choice.
    libraries.sort_by_key(|library| !library.paths.contains(&directory.join(&library.soname)));
    libraries
}
