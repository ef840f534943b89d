//! What libfabric and libcxi need, as the host's loader finds it. The rules are in [`loading`]; here are the files.

use std::path::{Path, PathBuf};

use super::elf::{self, ElfError};
use super::ld_cache::Cache;
use crate::host::files::roots::Roots;
use crate::model::libs::effort::Effort;
use crate::model::libs::given;
use crate::model::libs::glibc;
use crate::model::libs::loader::{Candidate, Disk, Kind, Loaded, Missing, Search, Start};
use crate::model::libs::loading;
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
        look(self.roots, path)
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        self.cache.as_ref().map(|cache| cache.paths(name)).unwrap_or_default()
    }
}

/// What a file is to the loader, wherever its links lead.
pub fn look(roots: &Roots, file: &Path) -> Candidate {
    let opened = match roots.open_plain(file) {
        Ok(opened) => opened,
        // Loaders go on where they cannot open, and give up at what is no library.
        Err(error) if error.raw_os_error().is_some() => return Candidate::Absent,
        Err(error) => return Candidate::Broken(error.to_string()),
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
    let mut effort = Effort::default();
    let loading = loading::load(&mut LibraryTree::new(roots), &search(), &starts, &wanted, &mut effort);
    problems.extend(loading.missing.iter().map(missing));
    for loaded in &loading.loaded {
        let unread = loaded.object.unread.iter();
        problems.extend(unread.map(|unread| ReadError::new(&loaded.path, unread)));
    }
    if let Some(cut) = &loading.cut {
        let reason = format!("need {cut}: the rest is left out");
        problems.push(ReadError::new(sonames.join(" and "), reason));
    }
    let mut libraries = listed;
    for loaded in loading.loaded.iter().filter(|loaded| !loaded.is_start()) {
        if loaded.name.contains('/') {
            let reason = "asked for by its path, which containers do not get: left out";
            problems.push(ReadError::new(&loaded.name, reason));
            continue;
        }
        // Under another name it would still be taken for the one that it says it is.
        let own = loaded.object.soname.as_deref();
        if let Some(reason) = own.and_then(given::refused_name) {
            problems.push(not_given(&loaded.path, &reason));
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

/// For an admin: a library that no container gets.
pub fn not_given(path: &Path, reason: &str) -> ReadError {
    ReadError::new(path, format!("{reason}: containers do not get it"))
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
