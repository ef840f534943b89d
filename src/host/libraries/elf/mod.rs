//! What the loader reads of a shared library. Files are hostile until parsed: every read is bounded.

mod error;
mod interpreter;
mod versions;
mod view;

use std::fs::File;

use object::elf::{DF_1_NODEFLIB, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use object::read::ReadCache;

pub use self::error::ElfError;
pub use self::interpreter::interpreter;
use self::view::{ElfView, HOST, Metered, READ_LIMIT};
use crate::model::libs::loader::Object;

/// As for file names.
const SONAME_LIMIT: u64 = 255;
/// A list of directories; as for paths, many times over.
const SEARCH_LIMIT: u64 = 65_536;
/// As for paths.
const PATH_LIMIT: u64 = 4096;
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
    let file = Metered::new(file);
    let meter = file.meter();
    let cache = ReadCache::new(file);
    let soname = soname(&ElfView::new(&cache, meter)?)?;
    Ok(SharedObject {
        soname,
        triplet: TRIPLET,
    })
}

/// Reads all that decides which further libraries are loaded with this one, and whether they fit.
pub fn object(file: File) -> Result<Object, ElfError> {
    let file = Metered::new(file);
    let meter = file.meter();
    let cache = ReadCache::new(file);
    let view = ElfView::new(&cache, meter)?;
    let mut unread = Vec::new();
    let mut search = |tag, name: &str| {
        let at = view.value(tag)?;
        let text = view.string(at, SEARCH_LIMIT).unwrap_or_else(|| {
            unread.push(format!(
                "its {name} is longer than {SEARCH_LIMIT} bytes or not a text: not searched"
            ));
            ""
        });
        Some(text.split(':').map(str::to_owned).collect::<Vec<_>>())
    };
    let (rpath, runpath) = (search(DT_RPATH, "RPATH"), search(DT_RUNPATH, "RUNPATH"));
    if view.values(DT_NEEDED).nth(NEEDED_LIMIT).is_some() {
        unread.push(format!(
            "it needs more than {NEEDED_LIMIT} libraries: the rest is left out"
        ));
    }
    let needed = view.values(DT_NEEDED).take(NEEDED_LIMIT);
    let object = Object {
        soname: soname(&view)?,
        needed: needed
            .map(|at| view.string(at, PATH_LIMIT).map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| cut_or(&view, ElfError::BadNeeded))?,
        rpath: rpath.unwrap_or_default(),
        runpath,
        no_defaults: view.value(DT_FLAGS_1).unwrap_or(0) & DF_1_NODEFLIB.0 != 0,
        requires: versions::required(&view),
        defines: versions::defined(&view),
        unread,
    };
    if view.is_cut() {
        return Err(ElfError::TooLarge(READ_LIMIT));
    }
    Ok(object)
}

fn cut_or(view: &ElfView<'_>, otherwise: ElfError) -> ElfError {
    if view.is_cut() {
        ElfError::TooLarge(READ_LIMIT)
    } else {
        otherwise
    }
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
