//! What the loader of an image or of a running container makes of the host's libraries: the files behind
//! [`crate::model::libs::image`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::host::libraries;
use crate::host::libraries::closure::{self, LibraryTree};
use crate::host::libraries::image_loader;
use crate::model::cdi::model::ContainerEdits;
use crate::model::libs::effort::Effort;
use crate::model::libs::glibc::Version;
use crate::model::libs::image::{CORE, Exposed, FoundLibrary, ImageFacts, LIBFABRIC, Libc};
use crate::model::libs::library_mode::LibraryMode;
use crate::model::libs::loader::{Candidate, Disk, Loaded, Search, Start};
use crate::model::libs::loading;
use crate::model::nic::inventory::Library;

/// What a container of an unpacked image gets with these edits, where the image sets `image_path` as its LD_LIBRARY_PATH.
pub fn image_facts(
    host: &Roots,
    image: &Roots,
    libraries: &[Library],
    edits: &ContainerEdits,
    image_path: &str,
) -> ImageFacts {
    let mounts = edits.mounts.iter();
    let mut container = Mounted {
        host,
        image,
        own: LibraryTree::new(image),
        mounts: mounts
            .map(|mount| {
                let landed = landing(image, Path::new(&mount.container_path));
                (landed, PathBuf::from(&mount.host_path))
            })
            .collect(),
    };
    let (libc, alone) = image_loader::inspect(image, image_path, None);
    // The last of one name wins, and the image's own value is gone.
    let ours = edits
        .env
        .iter()
        .rev()
        .find_map(|variable| variable.strip_prefix("LD_LIBRARY_PATH="));
    let search = Search {
        library_path: ours.map_or_else(|| alone.library_path.clone(), image_loader::directories),
        ..alone.clone()
    };
    let names = libraries.iter().map(|library| library.soname.as_str());
    let mut effort = Effort::default();
    let mut facts = facts(host, libraries, names, libc, &mut container, &search, &mut effort);
    for library in &mut facts.exposed {
        let own = find(&mut container.own, &alone, &library.name, &mut effort);
        let loaded = facts.loading.get(&library.name).cloned();
        let in_container = loaded.or_else(|| find(&mut container, &search, &library.name, &mut effort));
        library.lost = lost(own.as_ref(), in_container.as_ref());
        library.own = own.map(|own| own.path);
    }
    facts.cut = effort.cut().map(str::to_owned);
    facts
}

/// What `program` of a running container finds with this LD_LIBRARY_PATH.
pub fn running_facts(host: &Roots, container: &Roots, library_path: &str, program: Option<&Path>) -> ImageFacts {
    let libraries = libraries::find(host, LibraryMode::Listed, &[]).libraries;
    let identity = |library: &Library| {
        let metadata = fs::metadata(host.local_path(&library.file)).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let mut running = Running {
        container,
        files: LibraryTree::new(container),
        ours: libraries.iter().filter_map(identity).collect(),
    };
    let (libc, search) = image_loader::inspect(container, library_path, program);
    let mut effort = Effort::default();
    let mut facts = facts(
        host,
        &libraries,
        CORE.into_iter(),
        libc,
        &mut running,
        &search,
        &mut effort,
    );
    // Where the image brings its own libfabric, nothing hangs on what the host's needs.
    let is_own =
        |library: &Exposed| library.name == LIBFABRIC && library.found.as_ref().is_some_and(|found| !found.ours);
    if facts.exposed.iter().any(is_own) {
        facts.needs = None;
    }
    facts
}

/// A container as its loader sees it.
trait ContainerDisk: Disk {
    /// Whether the host's file stands at this path.
    fn is_ours(&self, path: &Path) -> bool;
}

/// An image with the mounts of a spec.
struct Mounted<'a> {
    host: &'a Roots,
    image: &'a Roots,
    own: LibraryTree<'a>,
    /// From where a mount lands in the image to the host's file.
    mounts: BTreeMap<PathBuf, PathBuf>,
}

impl Mounted<'_> {
    /// The host's file at a path: a mount, or what is below one.
    fn host_file(&self, path: &Path) -> Option<PathBuf> {
        let landed = landing(self.image, path);
        landed.ancestors().find_map(|ancestor| {
            let mounted = self.mounts.get(ancestor)?;
            let below = landed.strip_prefix(ancestor).ok()?;
            Some(if below.as_os_str().is_empty() {
                mounted.clone()
            } else {
                mounted.join(below)
            })
        })
    }
}

impl Disk for Mounted<'_> {
    fn look(&mut self, path: &Path) -> Candidate {
        match self.host_file(path) {
            Some(file) => closure::look(self.host, &file),
            None => self.own.look(path),
        }
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        self.own.cached(name)
    }

    fn has_directory(&mut self, path: &Path) -> bool {
        self.host_file(path).is_some() || self.own.has_directory(path)
    }
}

impl ContainerDisk for Mounted<'_> {
    fn is_ours(&self, path: &Path) -> bool {
        self.host_file(path).is_some()
    }
}

/// A container that runs: its mounts are in place.
struct Running<'a> {
    container: &'a Roots,
    files: LibraryTree<'a>,
    /// Device and inode of the host's libraries.
    ours: BTreeSet<(u64, u64)>,
}

impl Disk for Running<'_> {
    fn look(&mut self, path: &Path) -> Candidate {
        self.files.look(path)
    }

    fn cached(&mut self, name: &str) -> Vec<PathBuf> {
        self.files.cached(name)
    }

    fn has_directory(&mut self, path: &Path) -> bool {
        self.files.has_directory(path)
    }
}

impl ContainerDisk for Running<'_> {
    fn is_ours(&self, path: &Path) -> bool {
        let found = self.container.look(path).ok().flatten();
        found.is_some_and(|found| self.ours.contains(&(found.st_dev, found.st_ino)))
    }
}

/// Where a path leads to with the image's links followed, as far as there is anything; runtimes mount there.
fn landing(image: &Roots, path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, image.resolve(ancestor).ok()?)));
    match there {
        Some((ancestor, real)) => real.join(path.strip_prefix(ancestor).unwrap_or(Path::new(""))),
        None => path.to_owned(),
    }
}

/// Of `names`, each once, and of what becomes of libfabric.
fn facts<'a>(
    host: &Roots,
    libraries: &'a [Library],
    names: impl Iterator<Item = &'a str>,
    libc: Libc,
    container: &mut dyn ContainerDisk,
    search: &Search,
    effort: &mut Effort,
) -> ImageFacts {
    let start = [Start::Name(LIBFABRIC.to_owned())];
    let loading = loading::load(container, search, &start, &|_| true, effort);
    let mut seen = BTreeSet::new();
    let distinct = names.filter(|name| seen.insert(*name));
    let exposed = distinct.map(|name| {
        let loaded = loading.get(name).cloned();
        let found = loaded.or_else(|| find(container, search, name, effort));
        Exposed {
            name: name.to_owned(),
            found: found.map(|found| FoundLibrary {
                ours: container.is_ours(&found.path),
                path: found.path,
            }),
            own: None,
            lost: Vec::new(),
        }
    });
    let exposed = exposed.collect();
    ImageFacts {
        libc,
        cut: effort.cut().map(str::to_owned),
        exposed,
        needs: libraries
            .iter()
            .filter_map(|library| needs(host, library))
            .max_by(|a, b| a.0.cmp(&b.0)),
        ours: loading
            .loaded
            .iter()
            .map(|loaded| loaded.path.clone())
            .filter(|path| container.is_ours(path))
            .collect(),
        loading,
    }
}

/// One library, without what it needs.
fn find(disk: &mut dyn Disk, search: &Search, name: &str, effort: &mut Effort) -> Option<Loaded> {
    let start = [Start::Name(name.to_owned())];
    loading::load(disk, search, &start, &|wanted| wanted == name, effort)
        .loaded
        .into_iter()
        .next()
}

fn lost(own: Option<&Loaded>, found: Option<&Loaded>) -> Vec<String> {
    let (Some(own), Some(found)) = (own, found) else {
        return Vec::new();
    };
    let kept = &found.object.defines;
    own.object
        .defines
        .iter()
        .filter(|version| !kept.contains(version) && !is_name(version, own))
        .cloned()
        .collect()
}

/// The first version of a library is its own name.
fn is_name(version: &str, library: &Loaded) -> bool {
    library.is_called(version) || library.path.ends_with(version)
}

fn needs(host: &Roots, library: &Library) -> Option<(Version, String)> {
    match closure::look(host, &library.file) {
        Candidate::Library(object) => Some((Version::required(&object)?, library.soname.clone())),
        _ => None,
    }
}
