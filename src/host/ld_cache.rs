//! The loader's cache, `/etc/ld.so.cache`, as glibc's `sysdeps/generic/dl-cache.h` lays it out. Read-only and bounded:
//! it serves only to find a library whose directory nobody told us.

use std::path::{Path, PathBuf};

use super::roots::Roots;
use crate::inventory::{Reading, Unread};

const PATH: &str = "/etc/ld.so.cache";
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
/// A cache of many thousand libraries is a few hundred kilobytes.
const SIZE_LIMIT: u64 = 16 << 20;

/// Where the loader finds `soname`; none when it is not in the cache.
pub fn find(roots: &Roots, soname: &str) -> Reading<Option<PathBuf>> {
    let bytes = roots.bytes(Path::new(PATH), SIZE_LIMIT)?;
    lookup(&bytes, soname).ok_or_else(|| Unread::new(PATH, "not a cache of glibc's format 1.1"))
}

fn lookup(bytes: &[u8], soname: &str) -> Option<Option<PathBuf>> {
    // Older systems put a cache of the old format in front.
    let start = bytes.windows(MAGIC.len()).position(|window| window == MAGIC)?;
    let cache = bytes.get(start..)?;
    let count = number(cache, MAGIC.len())?;
    let text = |at: usize| -> Option<&str> {
        let rest = cache.get(at..)?;
        std::str::from_utf8(rest.get(..rest.iter().position(|byte| *byte == 0)?)?).ok()
    };
    let entries = cache.get(HEADER_BYTES..)?.chunks_exact(ENTRY_BYTES).take(count);
    let mut found = entries.filter(|entry| number(entry, 4).and_then(text) == Some(soname));
    Some(
        found
            .find_map(|entry| number(entry, 8).and_then(text))
            .map(PathBuf::from),
    )
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_ne_bytes(field.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1_u32.to_ne_bytes());
        bytes.resize(HEADER_BYTES, 0);
        let strings = u32::try_from(HEADER_BYTES + ENTRY_BYTES).unwrap();
        for field in [0, strings, strings + 12, 0, 0, 0] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(b"libcxi.so.1\0/usr/lib/libcxi.so.1\0");
        bytes
    }

    #[test]
    fn a_library_is_found_by_its_soname_behind_an_old_cache_too() {
        let found = Some(Some(PathBuf::from("/usr/lib/libcxi.so.1")));
        assert_eq!(lookup(&cache(), "libcxi.so.1"), found);
        assert_eq!(lookup(&cache(), "libcxi.so"), Some(None));
        assert_eq!(
            lookup(&[b"ld.so-1.7.0\0".to_vec(), cache()].concat(), "libcxi.so.1"),
            found
        );
    }

    #[test]
    fn a_cut_cache_is_no_cache_and_never_a_panic() {
        let whole = cache();
        for length in 0..whole.len() {
            let _ = lookup(&whole[..length], "libcxi.so.1");
        }
        assert_eq!(lookup(b"something else", "libcxi.so.1"), None);
    }
}
