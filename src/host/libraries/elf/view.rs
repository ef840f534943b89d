//! An ELF library as the loader sees it: program headers and the dynamic section. Section headers are for linkers, and a
//! stripped library may have none.

use std::fs::File;

use object::elf::{
    DT_NULL, DT_STRTAB, Dyn64, DynamicTag, ELFCLASS32, ELFMAG, ET_DYN, FileHeader64, PT_LOAD, ProgramHeader64,
};
use object::endian::Endianness;
use object::pod::Pod;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef};

use super::error::ElfError;

/// Machine and multiarch triplet of this host.
#[cfg(target_arch = "x86_64")]
pub const HOST: (object::elf::Machine, &str) = (object::elf::EM_X86_64, "x86_64-linux-gnu");
/// Machine and multiarch triplet of this host.
#[cfg(target_arch = "aarch64")]
pub const HOST: (object::elf::Machine, &str) = (object::elf::EM_AARCH64, "aarch64-linux-gnu");

/// Far above the dynamic section of any library.
const DYNAMIC_LIMIT: u64 = 1 << 20;

/// The parts of a file that the loader reads; every access is checked against the file's end.
pub struct ElfView<'data> {
    data: &'data ReadCache<File>,
    endian: Endianness,
    segments: &'data [ProgramHeader64<Endianness>],
    dynamic: &'data [Dyn64<Endianness>],
}

impl<'data> ElfView<'data> {
    /// Reads the head and finds the dynamic section; a library without one needs nothing and has no name.
    pub fn new(data: &'data ReadCache<File>) -> Result<Self, ElfError> {
        if data
            .read_bytes_at(0, 5)
            .is_ok_and(|head| head.starts_with(&ELFMAG) && head.ends_with(&[ELFCLASS32.0]))
        {
            return Err(ElfError::OtherClass);
        }
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        if header.e_type(endian) != ET_DYN {
            return Err(ElfError::NotShared);
        }
        if header.e_machine(endian) != HOST.0 {
            return Err(ElfError::OtherMachine(header.e_machine(endian).0));
        }
        let segments = header.program_headers(endian, data)?;
        let mut dynamic: &[Dyn64<Endianness>] = &[];
        for segment in segments
            .iter()
            .filter(|segment| segment.p_filesz(endian) <= DYNAMIC_LIMIT)
        {
            if let Some(found) = segment.dynamic(endian, data)? {
                dynamic = found;
            }
        }
        Ok(Self {
            data,
            endian,
            segments,
            dynamic,
        })
    }

    /// The byte order, for the numbers of what [`ElfView::read`] gives.
    pub fn endian(&self) -> Endianness {
        self.endian
    }

    /// The values of all entries with a tag, in order.
    pub fn values(&self, tag: DynamicTag) -> impl Iterator<Item = u64> {
        let entries = self.dynamic.iter();
        entries
            .take_while(|entry| entry.d_tag(self.endian) != DT_NULL)
            .filter(move |entry| entry.d_tag(self.endian) == tag)
            .map(|entry| entry.d_val(self.endian))
    }

    /// The value of the first entry with a tag.
    pub fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.values(tag).next()
    }

    /// A text of the string table; none when it is longer than `limit`, outside the file, or not UTF-8.
    pub fn string(&self, at: u64, limit: u64) -> Option<&'data str> {
        let start = self.offset(self.value(DT_STRTAB)?)?.checked_add(at)?;
        let end = start.checked_add(limit + 1)?.min(self.data.len().ok()?);
        let bytes = self.data.read_bytes_at_until(start..end, 0).ok()?;
        std::str::from_utf8(bytes).ok()
    }

    /// A record at an offset in the file.
    pub fn read<T: Pod>(&self, offset: u64) -> Option<&'data T> {
        self.data.read_at(offset).ok()
    }

    /// Where in the file an address of the loaded library is.
    pub fn offset(&self, address: u64) -> Option<u64> {
        let loaded = self
            .segments
            .iter()
            .filter(|segment| segment.p_type(self.endian) == PT_LOAD);
        loaded.into_iter().find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(self.endian))?;
            let inside = Some(inside).filter(|at| *at < segment.p_filesz(self.endian))?;
            segment.p_offset(self.endian).checked_add(inside)
        })
    }
}
