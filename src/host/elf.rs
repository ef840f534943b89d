//! What the loader reads of a shared library. Files are hostile until parsed: every read is bounded.

use std::fs::File;

use object::elf::{DT_SONAME, DT_STRTAB, ET_DYN, FileHeader64, PT_LOAD};
use object::endian::Endianness;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};
use thiserror::Error;

/// Far above the dynamic section of any library.
const DYNAMIC_LIMIT: u64 = 1 << 20;
/// As for file names.
const SONAME_LIMIT: u64 = 255;

/// What makes a file a library that containers of this host can load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    /// DT_SONAME, where there is one.
    pub soname: Option<String>,
    /// Multiarch triplet of its machine.
    pub triplet: &'static str,
}

/// Why a file is no such library.
#[derive(Debug, Error)]
pub enum ElfError {
    /// The file does not hold what it should.
    #[error("not a 64-bit ELF shared library: {0}")]
    Malformed(#[from] object::read::Error),
    /// Some other kind of ELF file.
    #[error("not a shared library")]
    NotShared,
    /// A library for another machine.
    #[error("a library for another machine (ELF machine {0})")]
    OtherMachine(u16),
    /// A name that is no file name.
    #[error("its soname is not a file name")]
    BadSoname,
}

#[cfg(target_arch = "x86_64")]
const HOST: (object::elf::Machine, &str) = (object::elf::EM_X86_64, "x86_64-linux-gnu");
#[cfg(target_arch = "aarch64")]
const HOST: (object::elf::Machine, &str) = (object::elf::EM_AARCH64, "aarch64-linux-gnu");

/// Reads the head and the dynamic section of a file.
pub fn read(file: File) -> Result<SharedObject, ElfError> {
    let cache = ReadCache::new(file);
    let data = &cache;
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    if header.e_type(endian) != ET_DYN {
        return Err(ElfError::NotShared);
    }
    if header.e_machine(endian) != HOST.0 {
        return Err(ElfError::OtherMachine(header.e_machine(endian).0));
    }
    let segments = header.program_headers(endian, data)?;
    let mut soname = None;
    for segment in segments
        .iter()
        .filter(|segment| segment.p_filesz(endian) <= DYNAMIC_LIMIT)
    {
        if let Some(dynamic) = segment.dynamic(endian, data)? {
            let value = |tag| {
                dynamic
                    .iter()
                    .find(|entry| entry.d_tag(endian) == tag)
                    .map(|entry| entry.d_val(endian))
            };
            soname = value(DT_SONAME).zip(value(DT_STRTAB));
        }
    }
    let Some((name, strings)) = soname else {
        return Ok(SharedObject {
            soname: None,
            triplet: HOST.1,
        });
    };
    let offset = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD)
        .find_map(|segment| {
            let inside = strings
                .checked_sub(segment.p_vaddr(endian))
                .filter(|at| *at < segment.p_filesz(endian))?;
            segment.p_offset(endian).checked_add(inside)?.checked_add(name)
        });
    let bytes = offset.and_then(|start| {
        let end = start.checked_add(SONAME_LIMIT + 1)?.min(data.len().ok()?);
        data.read_bytes_at_until(start..end, 0).ok()
    });
    let name = bytes
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .ok_or(ElfError::BadSoname)?;
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(ElfError::BadSoname);
    }
    Ok(SharedObject {
        soname: Some(name.to_owned()),
        triplet: HOST.1,
    })
}
