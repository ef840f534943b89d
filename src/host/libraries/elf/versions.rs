//! Symbol versions, as `elf/dl-version.c` of glibc walks them: chains of records that point to the next one.

use object::elf::{
    DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, VER_FLG_WEAK, Verdaux, Verdef, Vernaux, Verneed,
};
use object::endian::Endianness;

use super::view::ElfView;
use crate::model::libs::loader::Requirement;

/// Far above the libraries that one library asks for versions of, or the versions it has itself.
const RECORD_LIMIT: u64 = 1024;
/// Versions are short; those of C++ libraries and of site builds are below this, too.
const NAME_LIMIT: u64 = 255;

/// Which versions a library asks of others. What lies outside the file ends the list, as it would end the loader.
pub fn required(view: &ElfView<'_>) -> Vec<Requirement> {
    let mut found = Vec::new();
    let count = view.value(DT_VERNEEDNUM).unwrap_or(0).min(RECORD_LIMIT);
    let mut at = view.value(DT_VERNEED).and_then(|address| view.offset(address));
    for _ in 0..count {
        let Some((offset, record)) = at.and_then(|at| Some((at, view.read::<Verneed<Endianness>>(at)?))) else {
            break;
        };
        if let Some(library) = view.string(record.vn_file.get(view.endian()).into(), NAME_LIMIT) {
            let versions = versions_of(view, library, offset, record, &mut found);
            versions.unwrap_or_default();
        }
        at = next(offset, record.vn_next.get(view.endian()));
    }
    found
}

/// The versions asked of one library; none at the first that cannot be read.
fn versions_of(
    view: &ElfView<'_>,
    library: &str,
    offset: u64,
    record: &Verneed<Endianness>,
    found: &mut Vec<Requirement>,
) -> Option<()> {
    let endian = view.endian();
    let mut at = offset.checked_add(record.vn_aux.get(endian).into())?;
    for _ in 0..record.vn_cnt.get(endian) {
        if found.len() as u64 == RECORD_LIMIT {
            return None;
        }
        let version: &Vernaux<Endianness> = view.read(at)?;
        found.push(Requirement {
            library: library.to_owned(),
            version: view.string(version.vna_name.get(endian).into(), NAME_LIMIT)?.to_owned(),
            weak: version.vna_flags.get(endian).0 & VER_FLG_WEAK.0 != 0,
        });
        at = next(at, version.vna_next.get(endian))?;
    }
    Some(())
}

/// Which versions a library has.
pub fn defined(view: &ElfView<'_>) -> Vec<String> {
    let endian = view.endian();
    let mut found = Vec::new();
    let count = view.value(DT_VERDEFNUM).unwrap_or(0).min(RECORD_LIMIT);
    let mut at = view.value(DT_VERDEF).and_then(|address| view.offset(address));
    for _ in 0..count {
        let Some((offset, record)) = at.and_then(|at| Some((at, view.read::<Verdef<Endianness>>(at)?))) else {
            break;
        };
        // The first name is the version itself; any others are those it inherits from.
        let name = offset.checked_add(record.vd_aux.get(endian).into());
        let name = name.and_then(|at| view.read::<Verdaux<Endianness>>(at));
        found.extend(
            name.and_then(|name| view.string(name.vda_name.get(endian).into(), NAME_LIMIT))
                .map(str::to_owned),
        );
        at = next(offset, record.vd_next.get(endian));
    }
    found
}

/// Where the next record is; none at the end of a chain, which points nowhere.
fn next(at: u64, distance: u32) -> Option<u64> {
    at.checked_add(distance.into()).filter(|_| distance != 0)
}
