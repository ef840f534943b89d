//! The smallest ELF shared object that the loader, `ldconfig` and `readelf -d` accept: program headers, one read-only
//! segment and a dynamic section with a soname. There are no section headers; nothing at run time needs them.

const HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;
const PROGRAM_HEADERS: u16 = 3;
const PAGE: u64 = 0x1000;

/// `e_machine` of the architecture this program was built for; 0 (none) for one it does not know.
const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// Where a library has the loader look.
#[derive(Default)]
pub(super) struct Search {
    /// `DT_RPATH`; none if empty.
    pub rpath: String,
    /// `DT_RUNPATH`.
    pub runpath: Option<String>,
}

/// A 64-bit little-endian shared object with this `DT_SONAME`, and a `DT_NEEDED` for each of `needed`.
pub(super) fn shared_object(soname: &str, needed: &[&str]) -> Vec<u8> {
    shared_object_with(Some(soname), needed, &Search::default())
}

/// The same, perhaps without a name, and with directories to search.
pub(super) fn shared_object_with(soname: Option<&str>, needed: &[&str], search: &Search) -> Vec<u8> {
    let mut strings = vec![0_u8];
    let mut offset_of = |name: &str| {
        let offset = strings.len() as u64;
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
        offset
    };
    let mut tags: Vec<(u64, u64)> = needed.iter().map(|name| (1, offset_of(name))).collect(); // DT_NEEDED
    tags.extend(soname.map(|soname| (14, offset_of(soname)))); // DT_SONAME
    let rpath = Some(&search.rpath).filter(|rpath| !rpath.is_empty());
    tags.extend(rpath.map(|rpath| (15, offset_of(rpath)))); // DT_RPATH
    tags.extend(search.runpath.as_ref().map(|runpath| (29, offset_of(runpath)))); // DT_RUNPATH

    // Layout: header, program headers, hash table, symbol table, dynamic section, strings.
    let hash = HEADER + PROGRAM_HEADER * u64::from(PROGRAM_HEADERS);
    let hash_table: [u32; 4] = [1, 1, 0, 0]; // one bucket, one chain, both empty
    let symbols = hash + 16;
    let symbol_table = [0_u8; 24]; // the null symbol
    let dynamic = symbols + 24;
    let entries = tags.len() as u64 + 6;
    let string_table = dynamic + entries * 16;
    let size = string_table + strings.len() as u64;

    tags.push((4, hash)); // DT_HASH
    tags.push((5, string_table)); // DT_STRTAB
    tags.push((6, symbols)); // DT_SYMTAB
    tags.push((10, strings.len() as u64)); // DT_STRSZ
    tags.push((11, 24)); // DT_SYMENT
    tags.push((0, 0)); // DT_NULL

    let mut out = Bytes::default();
    out.raw(b"\x7fELF").raw(&[2, 1, 1, 0]).raw(&[0; 8]); // ELFCLASS64, little endian, version 1, System V
    out.half(3).half(MACHINE).word(1); // ET_DYN
    out.long(0).long(HEADER).long(0).word(0); // no entry point, program headers, no section headers, no flags
    out.half(64).half(56).half(PROGRAM_HEADERS).half(64).half(0).half(0);
    // PT_LOAD is writable because the loader relocates the dynamic section in place.
    out.program_header(1, 6, 0, size, PAGE); // PT_LOAD, rw
    out.program_header(2, 6, dynamic, entries * 16, 8); // PT_DYNAMIC, rw
    out.program_header(0x6474_e551, 6, 0, 0, 16); // PT_GNU_STACK, rw: without it the loader wants an executable stack
    hash_table.iter().for_each(|word| {
        out.word(*word);
    });
    out.raw(&symbol_table);
    for (tag, value) in tags {
        out.long(tag).long(value);
    }
    out.raw(&strings);
    out.0
}

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn half(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    fn word(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    fn long(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    fn program_header(&mut self, kind: u32, flags: u32, offset: u64, size: u64, align: u64) -> &mut Self {
        self.word(kind)
            .word(flags)
            .long(offset)
            .long(offset)
            .long(offset)
            .long(size)
            .long(size)
            .long(align)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8], offset: u64) -> u64 {
        let offset = usize::try_from(offset).expect("small");
        u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
    }

    fn text(bytes: &[u8], offset: u64) -> String {
        let from = &bytes[usize::try_from(offset).expect("small")..];
        String::from_utf8(from.iter().copied().take_while(|byte| *byte != 0).collect()).expect("UTF-8")
    }

    /// The entries of the dynamic section, found the way a loader finds them.
    fn dynamic(bytes: &[u8]) -> Vec<(u64, u64)> {
        let (headers, count) = (long(bytes, 32), u64::from(bytes[56]));
        let header = (0..count)
            .map(|n| headers + n * 56)
            .find(|at| long(bytes, *at) & 0xffff_ffff == 2);
        let header = header.expect("PT_DYNAMIC");
        let (offset, size) = (long(bytes, header + 8), long(bytes, header + 32));
        (0..size / 16)
            .map(|n| (long(bytes, offset + n * 16), long(bytes, offset + n * 16 + 8)))
            .collect()
    }

    #[test]
    fn names_are_found_by_way_of_the_program_headers() {
        let bytes = shared_object("libfabric.so.1", &["libcxi.so.1", "libc.so.6"]);
        assert_eq!(&bytes[..7], b"\x7fELF\x02\x01\x01");
        let dynamic = dynamic(&bytes);
        let strings = dynamic.iter().find(|(tag, _)| *tag == 5).expect("DT_STRTAB").1;
        let length = dynamic.iter().find(|(tag, _)| *tag == 10).expect("DT_STRSZ").1;
        assert_eq!(strings + length, bytes.len() as u64, "the string table ends the file");
        let names = |tag| {
            dynamic
                .iter()
                .filter(move |e| e.0 == tag)
                .map(|e| text(&bytes, strings + e.1))
        };
        assert_eq!(names(14).collect::<Vec<_>>(), ["libfabric.so.1"]);
        assert_eq!(names(1).collect::<Vec<_>>(), ["libcxi.so.1", "libc.so.6"]);
        assert_eq!(dynamic.last(), Some(&(0, 0)));
    }
}
