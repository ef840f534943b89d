//! What the loader reads of a shared library. Files are hostile until parsed: every read is bounded.

mod error;
mod versions;
mod view;

use std::fs::File;

use object::elf::{DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use object::read::ReadCache;

pub use self::error::ElfError;
use self::view::{ElfView, HOST};
use crate::model::libs::loader::Object;

/// As for file names.
const SONAME_LIMIT: u64 = 255;
/// A list of directories; as for paths, many times over.
const SEARCH_LIMIT: u64 = 65_536;
/// Far above what any library needs.
const NEEDED_LIMIT: usize = 1024;

/// What makes a file a library that containers of this host can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    /// DT_SONAME, where there is one.
    pub soname: Option<String>,
    /// Multiarch triplet of its machine.
    pub triplet: &'static str,
}

/// Multiarch triplet of this machine.
pub const TRIPLET: &str = HOST.1;

/// Reads the head and the name of a library.
pub fn read(file: File) -> Result<SharedObject, ElfError> {
    let cache = ReadCache::new(file);
    let soname = soname(&ElfView::new(&cache)?)?;
    Ok(SharedObject {
        soname,
        triplet: TRIPLET,
    })
}

/// Reads all that decides which further libraries are loaded with this one, and whether they fit.
pub fn object(file: File) -> Result<Object, ElfError> {
    let cache = ReadCache::new(file);
    let view = ElfView::new(&cache)?;
    let search = |tag| {
        let text = view.value(tag).and_then(|at| view.string(at, SEARCH_LIMIT))?;
        Some(text.split(':').map(str::to_owned).collect::<Vec<_>>())
    };
    let needed = view.values(DT_NEEDED).take(NEEDED_LIMIT);
    Ok(Object {
        soname: soname(&view)?,
        needed: needed
            .map(|at| view.string(at, SEARCH_LIMIT).map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(ElfError::BadNeeded)?,
        rpath: search(DT_RPATH).unwrap_or_default(),
        runpath: search(DT_RUNPATH),
        no_defaults: view.value(DT_FLAGS_1).unwrap_or(0) & DF_1_NODEFLIB.0 != 0,
        requires: versions::required(&view),
        defines: versions::defined(&view),
    })
}

fn soname(view: &ElfView<'_>) -> Result<Option<String>, ElfError> {
    let Some(at) = view.value(DT_SONAME) else {
        return Ok(None);
    };
    let name = view.string(at, SONAME_LIMIT).ok_or(ElfError::BadSoname)?;
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(ElfError::BadSoname);
    }
    Ok(Some(name.to_owned()))
}
