//! The loader's cache, `/etc/ld.so.cache`, as glibc's `sysdeps/generic/dl-cache.h` lays it out. Read-only and bounded:
//! it serves only to find a library whose directory nobody told us.

use std::path::{Path, PathBuf};

use crate::host::files::roots::Roots;
use crate::model::reading::{ReadError, Reading};

/// Where it is.
pub const PATH: &str = "/etc/ld.so.cache";
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;
/// Where an entry says for which processors it is; zero for all.
const HWCAP: usize = 16;
/// A cache of many thousand libraries is a few hundred kilobytes.
const SIZE_LIMIT: u64 = 4 << 20;
/// One library has a few entries, each for other processors.
const PATHS_LIMIT: usize = 64;
/// As for paths.
const TEXT_LIMIT: usize = 4096;

/// A cache that was read.
#[derive(Debug)]
pub struct Cache(Vec<u8>);

impl Cache {
    /// Reads the cache.
    pub fn read(roots: &Roots) -> Reading<Self> {
        let file = roots.resolve(Path::new(PATH))?;
        let mut cache = Self(roots.bytes(&file, SIZE_LIMIT)?);
        if cache.0.len() as u64 > SIZE_LIMIT {
            return Err(ReadError::new(PATH, format!("longer than {SIZE_LIMIT} bytes")));
        }
        // Older systems put a cache of the old format in front.
        let start = cache.0.windows(MAGIC.len()).position(|window| window == MAGIC);
        cache.0.drain(..start.unwrap_or(0));
        if cache.entries().is_none() {
            return Err(ReadError::new(PATH, "not a cache of glibc's format 1.1"));
        }
        Ok(cache)
    }

    /// All paths of a library, for any machine, in the loader's order. Those for some processors only are left out: the
    /// same library for all of them is elsewhere.
    pub fn paths(&self, soname: &str) -> Vec<PathBuf> {
        let Some((cache, entries)) = self.entries() else {
            return Vec::new();
        };
        let of_name = entries.chunks_exact(ENTRY_BYTES).filter(|entry| {
            number(entry, 4).is_some_and(|at| is_text(cache, at, soname))
                && entry
                    .get(HWCAP..)
                    .is_some_and(|hwcap| hwcap.iter().all(|byte| *byte == 0))
        });
        of_name
            .filter_map(|entry| number(entry, 8).and_then(|at| text(cache, at)))
            .map(PathBuf::from)
            .take(PATHS_LIMIT)
            .collect()
    }

    /// The part that offsets count from, and the entries in it.
    fn entries(&self) -> Option<(&[u8], &[u8])> {
        let start = self.0.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        let cache = self.0.get(start..)?;
        let count = number(cache, MAGIC.len())?;
        let entries = cache.get(HEADER_BYTES..)?;
        let length = count.saturating_mul(ENTRY_BYTES).min(entries.len());
        Some((cache, entries.get(..length)?))
    }
}

fn is_text(cache: &[u8], at: usize, text: &str) -> bool {
    let rest = cache.get(at..).and_then(|rest| rest.strip_prefix(text.as_bytes()));
    rest.is_some_and(|rest| rest.first() == Some(&0))
}

fn text(cache: &[u8], at: usize) -> Option<&str> {
    let rest = cache.get(at..)?;
    let rest = rest.get(..TEXT_LIMIT).unwrap_or(rest);
    std::str::from_utf8(rest.get(..rest.iter().position(|byte| *byte == 0)?)?).ok()
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

    fn lookup(bytes: Vec<u8>, soname: &str) -> Option<Vec<PathBuf>> {
        let cache = Cache(bytes);
        cache.entries().is_some().then(|| cache.paths(soname))
    }

    #[test]
    fn a_library_is_found_by_its_soname_behind_an_old_cache_too() {
        let found = Some(vec![PathBuf::from("/usr/lib/libcxi.so.1")]);
        assert_eq!(lookup(cache(), "libcxi.so.1"), found);
        assert_eq!(lookup(cache(), "libcxi.so"), Some(Vec::new()));
        let behind = [b"ld.so-1.7.0\0".to_vec(), cache()].concat();
        assert_eq!(lookup(behind, "libcxi.so.1"), found);
    }

    #[test]
    fn a_library_for_some_processors_only_is_left_out() {
        let mut bytes = cache();
        bytes[HEADER_BYTES + HWCAP + 7] = 0x40;
        assert_eq!(lookup(bytes, "libcxi.so.1"), Some(Vec::new()));
    }

    #[test]
    fn a_cut_cache_is_no_cache_and_never_a_panic() {
        let whole = cache();
        for length in 0..whole.len() {
            let _ = lookup(whole[..length].to_vec(), "libcxi.so.1");
        }
        assert_eq!(lookup(b"something else".to_vec(), "libcxi.so.1"), None);
    }
}
