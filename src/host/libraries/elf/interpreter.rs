//! Which loader a program names.

use std::fs::File;

use object::elf::FileHeader64;
use object::endian::Endianness;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

use super::view::{HOST, Metered, READ_LIMIT};

/// PT_INTERP of a program for this machine; none for a static one, and for what is no program.
pub fn interpreter(file: File) -> Option<String> {
    let cache = ReadCache::new(Metered::new(file));
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    if header.e_machine(endian) != HOST.0 {
        return None;
    }
    let segments = header.program_headers(endian, &cache).ok()?;
    let bounded = segments.iter().filter(|segment| segment.p_filesz(endian) <= READ_LIMIT);
    let mut paths = bounded.filter_map(|segment| segment.interpreter(endian, &cache).ok().flatten());
    let path = std::str::from_utf8(paths.next()?).ok()?;
    path.starts_with('/').then(|| path.to_owned())
}
