//! How the loaders of glibc and of musl load a library with all that it needs (`elf/dl-load.c`, `ldso/dynlink.c`). Pure.

use std::collections::{BTreeSet, VecDeque};

use super::effort::{self, Effort};
use super::loader::{Disk, Kind, Loaded, Loading, Missing, Search, Start};
use super::places;

/// Loads as a program without an RPATH of its own does; names that are not `wanted` are neither loaded nor missing.
pub fn load(
    disk: &mut dyn Disk,
    search: &Search,
    start: &[Start],
    wanted: &dyn Fn(&str) -> bool,
    effort: &mut Effort,
) -> Loading {
    let mut loading = Loading::default();
    // Loaded, by any of their names, or missing.
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut queue: VecDeque<(Start, Option<usize>)> = start.iter().map(|start| (start.clone(), None)).collect();
    while let Some((start, by)) = queue.pop_front() {
        let name = match &start {
            Start::Name(name) => name.clone(),
            Start::File(path) => path.to_string_lossy().into_owned(),
        };
        if !wanted(&name) || known.contains(&name) || (search.kind == Kind::Musl && is_musl_itself(&name)) {
            continue;
        }
        if loading.loaded.len() + loading.missing.len() == effort::LIBRARIES {
            effort.end(format!("more than {} libraries", effort::LIBRARIES));
        }
        if let Some(cut) = effort.cut() {
            loading.cut = Some(cut.to_owned());
            break;
        }
        known.insert(name.clone());
        match places::find(disk, search, &loading.loaded, &start, by, effort) {
            Ok((path, object)) => {
                known.extend(object.soname.clone());
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
    loading.cut = loading.cut.or_else(|| effort.cut().map(str::to_owned));
    loading
}

/// musl's loader is its libc, and takes these names of any version for itself (`ldso/dynlink.c`, `load_library`).
fn is_musl_itself(name: &str) -> bool {
    const RESERVED: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];
    let library = name.strip_prefix("lib");
    library.is_some_and(|library| RESERVED.iter().any(|reserved| library.starts_with(reserved)))
}
