//! Where the host's libfabric and libcxi may be, the first one first: what the site has said, what the host's loader would
//! take, the newest release.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::closure::{self, LibraryTree};
use super::family::{LIBCXI, LIBFABRIC, RELEASES};
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

/// A directory with libraries of a family, if there are any in it.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub directory: PathBuf,
    pub because: Because,
}

fn candidate(because: Because) -> impl Fn(PathBuf) -> Candidate {
    move |directory| Candidate { directory, because }
}

/// For libfabric.
pub fn of_libfabric(roots: &Roots, tree: &mut LibraryTree<'_>) -> Vec<Candidate> {
    if let Some(set) = &roots.ofi {
        return vec![candidate(Because::Set)(set.clone())];
    }
    let usual = candidate(Because::Usual)(LIBFABRIC.usual.first().copied().unwrap_or_default().into());
    let default = layouts(DEFAULT).into_iter().map(candidate(Because::Default));
    let loader = loader_directories(roots, tree, LIBFABRIC.soname).into_iter();
    let releases = releases(roots).into_iter().flat_map(|release| layouts(&release));
    std::iter::once(usual)
        .chain(default)
        .chain(loader.map(candidate(Because::Loader)))
        .chain(releases.map(candidate(Because::Release)))
        .collect()
}

/// For the libcxi that goes with this libfabric.
pub fn of_libcxi(roots: &Roots, tree: &mut LibraryTree<'_>, fabric: Option<&Path>) -> Vec<Candidate> {
    if let Some(set) = &roots.cxi {
        return vec![candidate(Because::Set)(set.clone())];
    }
    let needed = fabric.and_then(|fabric| needed_libcxi(roots, tree, fabric));
    let needed = needed.and_then(|path| path.parent().map(|directory| below_usr(roots, directory)));
    let usual = LIBCXI.usual.iter().map(PathBuf::from);
    // What lies beside libfabric was put there by somebody, and is worth a word where it does not count.
    let beside = fabric.map(|fabric| closure::homes(roots, fabric)).unwrap_or_default();
    let mut candidates: Vec<Candidate> = needed.into_iter().map(candidate(Because::Needed)).collect();
    candidates.extend(usual.map(candidate(Because::Usual)));
    candidates.extend(
        loader_directories(roots, tree, LIBCXI.soname)
            .into_iter()
            .map(candidate(Because::Loader)),
    );
    candidates.extend(beside.into_iter().map(candidate(Because::Needed)));
    candidates
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
        let directory = path.parent().map(|directory| below_usr(roots, directory));
        let Some(directory) = directory.filter(|directory| !directories.contains(directory)) else {
            continue;
        };
        if matches!(tree.look(&path), loader::Candidate::Library(_)) {
            directories.push(directory);
        }
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
    let is_named = roots
        .resolve(Path::new(RELEASES))
        .and_then(|real| roots.names(&real))
        .is_ok_and(|names| names.iter().any(|name| name == DEFAULT));
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
    let (mut places, mut tree) = (Vec::new(), LibraryTree::new(roots));
    let built_in = || closure::search().defaults.into_iter();
    let mut watch = |soname: &str, directories: Vec<PathBuf>| {
        for directory in directories.into_iter().take(PLACES_LIMIT) {
            places.extend([directory.join(soname), directory]);
        }
    };
    let fabrics = of_libfabric(roots, &mut tree);
    let fabric = fabrics
        .iter()
        .map(|candidate| candidate.directory.join(LIBFABRIC.soname));
    let fabric = fabric.into_iter().find(|fabric| roots.resolve(fabric).is_ok());
    let mut directories: Vec<PathBuf> = fabrics.into_iter().map(|candidate| candidate.directory).collect();
    let of_cxi = of_libcxi(roots, &mut tree, fabric.as_deref()).into_iter();
    let mut of_cxi: Vec<PathBuf> = of_cxi.map(|candidate| candidate.directory).collect();
    if roots.ofi.is_none() {
        directories.extend(built_in());
        directories.push(RELEASES.into());
    }
    if roots.cxi.is_none() {
        of_cxi.extend(built_in());
    }
    watch(LIBFABRIC.soname, directories);
    watch(LIBCXI.soname, of_cxi);
    if roots.ofi.is_none() || roots.cxi.is_none() {
        places.push(ld_cache::PATH.into());
    }
    places
}
