//! Where the host's libfabric and libcxi may be, the first one first: what the site has said, what the host's loader would
//! take, the newest release.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::closure::{self, LibraryTree};
use super::family::{Family, LIBCXI, LIBFABRIC, RELEASES};
use super::{elf, ld_cache};
use crate::host::files::roots::Roots;
use crate::model::libs::choice::Because;
use crate::model::libs::effort::Effort;
use crate::model::libs::loader::{self, Disk, Start};
use crate::model::libs::loading;
use crate::model::libs::release::Release;
use crate::model::reading::ReadError;

/// More places than a node has.
const PLACES_LIMIT: usize = 32;
/// The link by which a site says which release counts.
const DEFAULT: &str = "default";

/// What makes a directory one for a family, in the order in which they count.
pub fn reasons(roots: &Roots, family: &Family) -> &'static [Because] {
    match family.set(roots) {
        Some(_) => &[Because::Set],
        None if family.name == LIBFABRIC.name => &[Because::Usual, Because::Default, Because::Loader, Because::Release],
        None => &[Because::Needed, Because::Usual, Because::Loader, Because::Beside],
    }
}

/// The directories that count for this reason, the first one first; for libcxi, beside this libfabric.
pub fn directories(
    roots: &Roots,
    tree: &mut LibraryTree<'_>,
    family: &Family,
    because: Because,
    fabric: Option<&Path>,
) -> Vec<PathBuf> {
    match because {
        Because::Set => family.set(roots).map(Path::to_owned).into_iter().collect(),
        Because::Usual => family.usual.first().map(PathBuf::from).into_iter().collect(),
        Because::Default => layouts(DEFAULT),
        Because::Needed => {
            let needed = fabric.and_then(|fabric| needed_libcxi(roots, tree, fabric));
            let directory = needed.and_then(|path| path.parent().map(|directory| below_usr(roots, directory)));
            directory.into_iter().collect()
        }
        Because::Loader => loader_directories(roots, tree, family.soname),
        // It was put there by somebody, and is worth a word where it does not count.
        Because::Beside => fabric.map(|fabric| closure::homes(roots, fabric)).unwrap_or_default(),
        Because::Release => releases(roots).iter().flat_map(|release| layouts(release)).collect(),
    }
}

/// The libcxi that a loader takes for this libfabric, whether that asks for it by itself or opens it later.
fn needed_libcxi(roots: &Roots, tree: &mut LibraryTree<'_>, fabric: &Path) -> Option<PathBuf> {
    let is_it = |name: &str| name == LIBCXI.soname || name.ends_with(&format!("/{}", LIBCXI.soname));
    let wanted = |name: &str| Path::new(name) == fabric || is_it(name);
    let search = closure::search_for(roots, fabric);
    let start = [Start::File(fabric.to_owned())];
    let loading = loading::load(tree, &search, &start, &wanted, &mut Effort::default());
    let mut loaded = loading.loaded.iter();
    loaded
        .find(|loaded| !loaded.is_start())
        .map(|loaded| loaded.path.clone())
}

/// The directories in which the host's loader has a library for this machine: by its cache, and built into it.
fn loader_directories(roots: &Roots, tree: &mut LibraryTree<'_>, soname: &str) -> Vec<PathBuf> {
    let cached = tree.cached(soname).into_iter();
    let built_in = closure::search()
        .defaults
        .into_iter()
        .map(|directory| directory.join(soname));
    let mut directories = Vec::new();
    for path in cached.chain(built_in) {
        if !matches!(tree.look(&path), loader::Candidate::Library(_)) {
            continue;
        }
        let directory = path.parent().map(|directory| below_usr(roots, directory));
        directories.extend(directory.filter(|directory| !directories.contains(directory)));
    }
    directories
}

/// `/lib64` is mostly a link to `/usr/lib64`, by which people know it.
fn below_usr(roots: &Roots, directory: &Path) -> PathBuf {
    let usr = Path::new("/usr").join(directory.strip_prefix("/").unwrap_or(directory));
    match (roots.resolve(&usr), roots.resolve(directory)) {
        (Ok(one), Ok(other)) if one == other => usr,
        _ => directory.to_owned(),
    }
}

/// Where a release has its libraries.
fn layouts(release: &str) -> Vec<PathBuf> {
    let multiarch = format!("lib/{}", elf::TRIPLET);
    let directories = ["lib64", "lib", &multiarch].map(|directory| Path::new(RELEASES).join(release).join(directory));
    directories.into()
}

/// The names of all releases, the newest first.
fn releases(roots: &Roots) -> Vec<String> {
    // The directory, or one on the way to it, may be a link, which means a path of the host.
    let names = roots.resolve(Path::new(RELEASES)).and_then(|real| roots.names(&real));
    let mut names = names.unwrap_or_default();
    names.retain(|name| name != DEFAULT && !name.starts_with('.'));
    names.sort_by(|one, other| Reverse(Release::new(one)).cmp(&Reverse(Release::new(other))));
    names
}

/// Says what is wrong with the link by which the site names a release, where it would count.
pub fn note_default(roots: &Roots, problems: &mut Vec<ReadError>) {
    let usual = LIBFABRIC
        .usual
        .first()
        .map(|usual| Path::new(usual).join(LIBFABRIC.soname));
    if roots.ofi.is_some() || usual.is_some_and(|usual| roots.resolve(&usual).is_ok()) {
        return;
    }
    let default = Path::new(RELEASES).join(DEFAULT);
    let real = roots.resolve(Path::new(RELEASES));
    let names = roots.names_if_there(real.as_deref().unwrap_or(Path::new(RELEASES)));
    let is_named = match names {
        Ok(names) => names.iter().any(|name| name == DEFAULT),
        // The link is found without a list, and the releases are not.
        Err(read_error) => {
            problems.push(ReadError::new(
                read_error.path,
                format!("no releases to be seen: {}", read_error.reason),
            ));
            false
        }
    };
    let has_library = |directory: &PathBuf| roots.resolve(&directory.join(LIBFABRIC.soname)).is_ok();
    let reason = match roots.resolve(&default) {
        _ if !is_named => return,
        Ok(_) if layouts(DEFAULT).iter().any(has_library) => return,
        Ok(_) => format!("there is no {} in it: passed over", LIBFABRIC.soname),
        Err(_) => "leads nowhere: passed over".to_owned(),
    };
    problems.push(ReadError::new(default, reason));
}

/// Where a library of ours may appear on the host: in the site's directories or the usual ones, in those of releases, and
/// where the loader looks; and the links that the loader takes.
pub fn places(roots: &Roots) -> Vec<PathBuf> {
    let tree = &mut LibraryTree::new(roots);
    let mut places = Vec::new();
    let mut watch = |family: &Family, tree: &mut LibraryTree<'_>, fabric: Option<&Path>| {
        let mut directories = Vec::new();
        let mut taken = None;
        for because in reasons(roots, family) {
            let is_of_loader = *because == Because::Loader;
            // Its cache is large, and read only if it decides.
            let mut further = match taken {
                Some(_) if is_of_loader => Vec::new(),
                _ => self::directories(roots, tree, family, *because, fabric),
            };
            let mut paths = further.iter().map(|directory| directory.join(family.soname));
            taken = taken.or_else(|| paths.find(|path| roots.resolve(path).is_ok()));
            if is_of_loader {
                further.extend(closure::search().defaults);
            }
            directories.extend(further);
        }
        for directory in directories.into_iter().take(PLACES_LIMIT) {
            places.extend([directory.join(family.soname), directory]);
        }
        taken
    };
    let fabric = watch(&LIBFABRIC, tree, None);
    watch(&LIBCXI, tree, fabric.as_deref());
    if roots.ofi.is_none() {
        places.push(RELEASES.into());
    }
    if roots.ofi.is_none() || roots.cxi.is_none() {
        places.push(ld_cache::PATH.into());
    }
    places
}
