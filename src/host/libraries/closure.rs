//! What libfabric and libcxi need, as the host's loader finds it. The rules are in [`loader`]; here are the files.

use std::path::{Path, PathBuf};

use super::elf::{self, ElfError};
use super::ld_cache::Cache;
use crate::host::files::roots::Roots;
use crate::model::libs::glibc;
use crate::model::libs::loader::{self, Candidate, Disk, Kind, Loaded, Missing, Search, Start};
use crate::model::nic::inventory::Library;
use crate::model::reading::ReadError;

/// The libraries of a host or of an image that is unpacked somewhere.
#[derive(Debug)]
pub struct LibraryTree<'roots> {
    roots: &'roots Roots,
    cache: Option<Cache>,
}

impl<'roots> LibraryTree<'roots> {
    /// Reads the cache; without one, libraries are found in directories only.
    pub fn new(roots: &'roots Roots) -> Self {
        Self {
            roots,
            cache: Cache::read(roots).ok(),
        }
    }
}

impl Disk for LibraryTree<'_> {
    fn look(&mut self, path: &Path) -> Candidate {
        match self.roots.resolve(path) {
            Ok(file) => look(self.roots, &file),
            Err(_) => Candidate::Absent,
        }
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        self.cache.as_ref().map(|cache| cache.paths(name)).unwrap_or_default()
    }
}

/// What a file is to the loader; all links are followed already.
pub fn look(roots: &Roots, file: &Path) -> Candidate {
    let Ok(opened) = roots.open(file) else {
        return Candidate::Absent;
    };
    match elf::object(opened) {
        Ok(object) => Candidate::Library(object),
        Err(ElfError::OtherClass | ElfError::OtherMachine(_)) => Candidate::WrongMachine,
        Err(error) => Candidate::Broken(error.to_string()),
    }
}

/// Loaders of both families: the host's own is not asked, so that a host mounted elsewhere gives the same.
pub fn search() -> Search {
    let multiarch = format!("lib/{}", elf::TRIPLET);
    let defaults = [&multiarch, "lib64", "lib"];
    Search {
        kind: Kind::Glibc,
        library_path: Vec::new(),
        defaults: ["/", "/usr"]
            .iter()
            .flat_map(|top| defaults.map(|directory| Path::new(top).join(directory)))
            .collect(),
        lib: vec!["lib64".to_owned(), multiarch.clone()],
        platform: std::env::consts::ARCH,
    }
}

/// The listed libraries, and behind them what those called `sonames` need, in the order in which a loader takes them.
pub fn with_needed(
    roots: &Roots,
    listed: Vec<Library>,
    sonames: &[String],
    all: bool,
    problems: &mut Vec<ReadError>,
) -> Vec<Library> {
    let starts = sonames.iter().filter_map(|soname| {
        let library = listed.iter().find(|library| library.soname == *soname)?;
        let by_soname = library.paths.iter().find(|path| path.ends_with(soname));
        Some(Start::File(by_soname.unwrap_or(&library.file).clone()))
    });
    let starts: Vec<Start> = starts.collect();
    let wanted = |name: &str| !glibc::is_family(name) && (all || !glibc::is_likely_in_images(name));
    let loading = loader::load(&mut LibraryTree::new(roots), &search(), &starts, &wanted);
    problems.extend(loading.missing.iter().map(missing));
    if loading.cut {
        let reason = format!(
            "need more than {} libraries: the rest is left out",
            loading.loaded.len()
        );
        problems.push(ReadError::new(sonames.join(" and "), reason));
    }
    let mut libraries = listed;
    for loaded in loading.loaded.iter().filter(|loaded| !loaded.is_start()) {
        if loaded.name.contains('/') {
            let reason = "asked for by its path, which containers do not get: left out";
            problems.push(ReadError::new(&loaded.name, reason));
            continue;
        }
        match roots.resolve(&loaded.path) {
            Ok(file) => libraries.extend(named(loaded, &file)),
            Err(read_error) => problems.push(read_error),
        }
    }
    libraries
}

/// Under the name that was asked for, and under its own where that is another one: either may be asked for in a container.
fn named(loaded: &Loaded, file: &Path) -> Vec<Library> {
    let own = loaded.object.soname.iter().filter(|soname| **soname != loaded.name);
    let names = std::iter::once(&loaded.name).chain(own);
    names
        .map(|name| Library {
            soname: name.clone(),
            file: file.to_owned(),
            paths: vec![loaded.path.with_file_name(name)],
            triplet: elf::TRIPLET,
        })
        .collect()
}

fn missing(missing: &Missing) -> ReadError {
    let by = missing.by.as_deref().unwrap_or(Path::new("nothing"));
    let reason = format!(
        "needed by {}, {}: containers do not get it",
        by.display(),
        missing.reason
    );
    ReadError::new(&missing.name, reason)
}
