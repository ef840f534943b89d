//! The host's libfabric and libcxi.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{closure, elf, ld_cache};
use crate::host::files::roots::Roots;
use crate::model::libs::given;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::inventory::Library;
use crate::model::reading::{ReadError, Reading};

/// A family of files that belong to one library.
struct Family {
    name: &'static str,
    soname: &'static str,
    default_directory: &'static str,
}

const LIBFABRIC: Family = Family {
    name: "libfabric",
    soname: "libfabric.so.1",
    default_directory: "/opt/cray/lib64",
};
const LIBCXI: Family = Family {
    name: "libcxi",
    soname: "libcxi.so.1",
    default_directory: "/usr/lib64",
};

/// Versions of libfabric that HPE installs beside each other, as `/opt/cray/libfabric/VERSION/lib64`.
const LIBFABRIC_VERSIONS: &str = "/opt/cray/libfabric";

/// More versions than a node has.
const PLACES_LIMIT: usize = 32;

/// The host's libraries for containers, and those at the paths of `extra`; what is missing or no library is noted.
pub fn find(roots: &Roots, mode: LibraryMode, extra: &[PathBuf], problems: &mut Vec<ReadError>) -> Vec<Library> {
    let mut libraries = match mode {
        LibraryMode::None => Vec::new(),
        LibraryMode::Listed | LibraryMode::Closure | LibraryMode::ClosureAll => listed(roots, problems),
    };
    let mut starts = vec![LIBFABRIC.soname.to_owned(), LIBCXI.soname.to_owned()];
    for path in extra {
        match roots
            .resolve(path)
            .and_then(|file| library(roots, file, vec![path.clone()], path))
        {
            Ok(library) => {
                starts.push(library.soname.clone());
                libraries.push(library);
            }
            Err(read_error) => problems.push(read_error),
        }
    }
    let libraries = ours_to_give(libraries, problems);
    match mode {
        LibraryMode::None | LibraryMode::Listed => libraries,
        LibraryMode::Closure | LibraryMode::ClosureAll => {
            let all = mode == LibraryMode::ClosureAll;
            let libraries = closure::with_needed(roots, libraries, &starts, all, problems);
            ours_to_give(libraries, problems)
        }
    }
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
        triplet: shared_object.triplet,
    })
}

/// libfabric and libcxi as they stand in the host's directories; what is missing or no library is noted.
fn listed(roots: &Roots, problems: &mut Vec<ReadError>) -> Vec<Library> {
    let fabric = family(roots, &LIBFABRIC, roots.ofi.as_deref(), problems);
    let cxi = family(roots, &LIBCXI, roots.cxi.as_deref(), problems);
    fabric.into_iter().chain(cxi).collect()
}

/// Where a library of ours may appear on the host: in the site's directories or the default ones, in those of HPE's
/// versions, and where the loader's cache says; and the links that the loader takes.
pub fn places(roots: &Roots) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (family, set) in [(&LIBFABRIC, &roots.ofi), (&LIBCXI, &roots.cxi)] {
        let directories = match set {
            Some(directory) => vec![directory.clone()],
            None => {
                let mut directories = known_directories(roots, family);
                let first = Path::new(family.default_directory).join(family.soname);
                // The cache is large, and read only if it decides.
                if roots.resolve(&first).is_err() {
                    directories.extend(cached_directory(roots, family));
                }
                directories
            }
        };
        for directory in directories.into_iter().take(PLACES_LIMIT) {
            places.extend([directory.join(family.soname), directory]);
        }
    }
    if roots.ofi.is_none() {
        places.push(LIBFABRIC_VERSIONS.into());
    }
    if roots.ofi.is_none() || roots.cxi.is_none() {
        places.push(ld_cache::PATH.into());
    }
    places
}

fn family(roots: &Roots, family: &Family, set: Option<&Path>, problems: &mut Vec<ReadError>) -> Vec<Library> {
    let candidates = match set {
        Some(directory) => vec![directory.to_owned()],
        None => directories(roots, family),
    };
    for directory in &candidates {
        let libraries = in_directory(roots, family, directory, problems);
        if libraries.is_empty() {
            continue;
        }
        if let Some(first) = candidates.first().filter(|first| *first != directory) {
            let reason = format!("not in {}: taken from {}", first.display(), directory.display());
            problems.push(ReadError::new(family.soname, reason));
        }
        return libraries;
    }
    let searched: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    let reason = format!(
        "not found (searched {}): containers do not get it from the host",
        searched.join(", ")
    );
    problems.push(ReadError::new(family.soname, reason));
    Vec::new()
}

/// The default directory, then HPE's versioned ones from the newest down, then where the loader finds the library.
fn directories(roots: &Roots, family: &Family) -> Vec<PathBuf> {
    let mut directories = known_directories(roots, family);
    directories.extend(cached_directory(roots, family));
    directories
}

fn known_directories(roots: &Roots, family: &Family) -> Vec<PathBuf> {
    let mut directories = vec![PathBuf::from(family.default_directory)];
    if family.name == LIBFABRIC.name {
        let mut versions = roots.names(Path::new(LIBFABRIC_VERSIONS)).unwrap_or_default();
        versions.sort_by_key(|version| std::cmp::Reverse(version_key(version)));
        directories.extend(
            versions
                .iter()
                .map(|version| Path::new(LIBFABRIC_VERSIONS).join(version).join("lib64")),
        );
    }
    directories
}

fn cached_directory(roots: &Roots, family: &Family) -> Option<PathBuf> {
    let cached = ld_cache::find(roots, family.soname).ok().flatten()?;
    cached.parent().map(Path::to_owned)
}

/// Numbers of a version for comparing: 2.10 is newer than 2.9, and 2.2.0 newer than its release candidate 2.2.0rc1.
fn version_key(version: &str) -> (Vec<u64>, bool) {
    let numbers_end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (numbers, rest) = version.split_at(numbers_end);
    (
        numbers.split('.').map_while(|number| number.parse().ok()).collect(),
        rest.is_empty(),
    )
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
        .filter(|name| is_of_family(name, family.name))
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

/// `libcxi.so`, `libcxi.so.1`, `libcxi.so.1.7.0`; not `libcxi.a`, `libcxi.la`, nor `libcxiutils.so`.
fn is_of_family(name: &str, family: &str) -> bool {
    let version = name.strip_prefix(family).and_then(|rest| rest.strip_prefix(".so"));
    version.is_some_and(|version| version.chars().all(|c| c == '.' || c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_objects_of_the_family_belong_to_it() {
        for name in ["libcxi.so", "libcxi.so.1", "libcxi.so.1.7.0"] {
            assert!(is_of_family(name, "libcxi"), "{name}");
        }
        for name in [
            "libcxi.a",
            "libcxi.la",
            "libcxiutils.so",
            "libcxi.so.1-gdb.py",
            "xlibcxi.so",
            "libcxi",
        ] {
            assert!(!is_of_family(name, "libcxi"), "{name}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        let mut versions = ["2.2.0rc1", "1.15.2.0", "2.9.0", "2.10.0", "2.2.0"];
        versions.sort_by_key(|version| version_key(version));
        assert_eq!(versions, ["1.15.2.0", "2.2.0rc1", "2.2.0", "2.9.0", "2.10.0"]);
    }
}
