//! An ELF library as the loader sees it: program headers and the dynamic section. Section headers are for linkers, and a
//! stripped library may have none.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use object::elf::{
    DT_NULL, DT_STRTAB, Dyn64, DynamicTag, ELFCLASS32, ELFMAG, ET_DYN, FileHeader64, PN_XNUM, PT_DYNAMIC, PT_LOAD,
    ProgramHeader64,
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

/// What is read of one library, and kept of it: far above the headers, names and versions of any.
pub const READ_LIMIT: u64 = 512 << 10;
/// How much of a text is read first: most are shorter.
const TEXT_BYTES: u64 = 256;

/// A file of which only so much is read.
#[derive(Debug)]
pub struct Metered {
    file: File,
    left: Meter,
}

/// How many bytes may still be read.
#[derive(Debug, Clone)]
pub struct Meter(Rc<Cell<u64>>);

impl Meter {
    /// Takes so many; none when there are fewer, and from then on.
    fn take(&self, bytes: u64) -> Option<()> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.map(drop)
    }
}

impl Metered {
    /// With the limit for one library.
    pub fn new(file: File) -> Self {
        Self {
            file,
            left: Meter(Rc::new(Cell::new(READ_LIMIT))),
        }
    }

    /// For whoever keeps what was read.
    pub fn meter(&self) -> Meter {
        self.left.clone()
    }
}

impl Read for Metered {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let taken = self.left.take(to.len() as u64);
        taken.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.file.read(to)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The parts of a file that the loader reads; every access is checked against the file's end.
pub struct ElfView<'data> {
    data: &'data ReadCache<Metered>,
    meter: Meter,
    endian: Endianness,
    segments: &'data [ProgramHeader64<Endianness>],
    dynamic: &'data [Dyn64<Endianness>],
    /// Where in the file the texts are.
    texts: Option<u64>,
}

impl<'data> ElfView<'data> {
    /// Reads the head and finds the dynamic section; a library without one needs nothing and has no name.
    pub fn new(data: &'data ReadCache<Metered>, meter: Meter) -> Result<Self, ElfError> {
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
        // A cache of what is read makes room before it reads, so what is too large is not asked for at all.
        let entry = u64::try_from(size_of::<ProgramHeader64<Endianness>>()).unwrap_or(u64::MAX);
        let count = header.e_phnum.get(endian);
        if u32::from(count) == u32::from(PN_XNUM) || u64::from(count).saturating_mul(entry) > READ_LIMIT {
            return Err(ElfError::TooLarge(READ_LIMIT));
        }
        let segments = header.program_headers(endian, data)?;
        // Of several, loaders take the last.
        let mut of_kind = segments.iter().rev();
        let dynamic = match of_kind.find(|segment| segment.p_type(endian) == PT_DYNAMIC) {
            Some(segment) if segment.p_filesz(endian) > READ_LIMIT => return Err(ElfError::TooLarge(READ_LIMIT)),
            Some(segment) => segment.dynamic(endian, data)?.unwrap_or_default(),
            None => &[],
        };
        let mut view = Self {
            data,
            meter,
            endian,
            segments,
            dynamic,
            texts: None,
        };
        view.texts = view.value(DT_STRTAB).and_then(|address| view.offset(address));
        Ok(view)
    }

    /// Whether something was not read because there is too much.
    pub fn is_cut(&self) -> bool {
        self.meter.0.get() == 0
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
        let start = self.texts?.checked_add(at)?;
        let there = self.data.len().ok()?.checked_sub(start)?.min(limit.checked_add(1)?);
        // The cache's own search for the end of a text gives up at a length of its own.
        let mut size = TEXT_BYTES.min(there);
        let text = loop {
            let bytes = self.data.read_bytes_at(start, size).ok()?;
            match bytes.iter().position(|byte| *byte == 0) {
                Some(end) => break bytes.get(..end)?,
                None if size == there => return None,
                None => size = size.saturating_mul(16).min(there),
            }
        };
        // Many may ask for the same text, and each keeps it.
        self.meter.take(text.len() as u64)?;
        std::str::from_utf8(text).ok()
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
