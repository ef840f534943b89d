//! What libfabric and libcxi need, as the host's loader finds it. The rules are in [`loading`]; here are the files.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use nix::sys::stat::SFlag;

use super::elf::{self, ElfError};
use super::ld_cache::Cache;
use crate::host::files::roots::Roots;
use crate::model::libs::effort::Effort;
use crate::model::libs::given;
use crate::model::libs::glibc;
use crate::model::libs::loader::{Candidate, Disk, Kind, Loaded, Missing, Search, Stack, Start};
use crate::model::libs::loading;
use crate::model::nic::inventory::Library;
use crate::model::reading::ReadError;

/// The libraries of a host or of an image that is unpacked somewhere.
#[derive(Debug)]
pub struct LibraryTree<'roots> {
    roots: &'roots Roots,
    /// Large, and read only when it decides; without one, libraries are found in directories only.
    cache: OnceCell<Option<Cache>>,
}

impl<'roots> LibraryTree<'roots> {
    /// The libraries below these roots.
    pub fn new(roots: &'roots Roots) -> Self {
        let cache = OnceCell::new();
        Self { roots, cache }
    }
}

impl Disk for LibraryTree<'_> {
    fn look(&mut self, path: &Path) -> Candidate {
        look(self.roots, path)
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        let cache = self.cache.get_or_init(|| Cache::read(self.roots).ok());
        cache.as_ref().map(|cache| cache.paths(name)).unwrap_or_default()
    }

    fn has_directory(&mut self, path: &Path) -> bool {
        let found = self.roots.look(path).ok().flatten();
        found.is_some_and(|found| SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
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
        has_cache: true,
        lib: vec!["lib64".to_owned(), multiarch.clone()],
        platform: std::env::consts::ARCH,
        stack: None,
        itself: None,
    }
}

/// The directories that a library lies in, by its path and by the file to which that leads.
pub fn homes(roots: &Roots, library: &Path) -> Vec<PathBuf> {
    let real = roots.resolve(library);
    let files = std::iter::once(library).chain(real.as_deref());
    let mut homes: Vec<PathBuf> = files.filter_map(|file| file.parent().map(Path::to_owned)).collect();
    homes.dedup();
    homes
}

/// The same for what this libfabric needs. What a site has set is a directory of parts that belong together.
pub fn search_for(roots: &Roots, fabric: &Path) -> Search {
    let stack = Stack {
        directories: homes(roots, fabric),
        is_first: roots.ofi.is_some(),
    };
    Search {
        stack: Some(stack),
        ..search()
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
    let wanted = |name: &str| {
        let (path, file) = name.rsplit_once('/').unwrap_or(("", name));
        // At a path of the host's an image has nothing of its own.
        !glibc::is_family(file) && (all || !path.is_empty() || !glibc::is_likely_in_images(file))
    };
    let search = match starts.first() {
        Some(Start::File(fabric)) => search_for(roots, fabric),
        _ => search(),
    };
    let mut effort = Effort::default();
    let loading = loading::load(&mut LibraryTree::new(roots), &search, &starts, &wanted, &mut effort);
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
        if loaded.name.contains('/') && given::refused_need(&loaded.name).is_some() {
            let reason = "asked for by a path at which no container may have a library: left out";
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
            Ok(file) if loaded.name.contains('/') => asked_by_path(&mut libraries, loaded, file),
            Ok(file) => libraries.extend(named(loaded, &file)),
            Err(read_error) => problems.push(read_error),
        }
    }
    libraries
}

/// One that is asked for by its path, as in stores whose libraries are patched: containers need it there.
fn asked_by_path(libraries: &mut Vec<Library>, loaded: &Loaded, file: PathBuf) {
    let path = PathBuf::from(&loaded.name);
    match libraries.iter_mut().find(|library| library.file == file) {
        Some(known) if known.asked_by_path.contains(&path) => {}
        Some(known) => known.asked_by_path.push(path),
        None => {
            let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            libraries.push(Library {
                soname: loaded.object.soname.clone().unwrap_or_else(name),
                file,
                paths: vec![loaded.path.clone()],
                asked_by_path: vec![path],
                triplet: elf::TRIPLET,
            });
        }
    }
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
            asked_by_path: Vec::new(),
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
