//! Why a file is no library for this host.

use thiserror::Error;

/// Why a file is no such library.
#[derive(Debug, Error)]
pub enum ElfError {
    /// The file does not hold what it should.
    #[error("not a 64-bit ELF shared library: {0}")]
    Malformed(#[from] object::read::Error),
    /// An ELF file for 32-bit programs.
    #[error("not a 64-bit ELF shared library: a 32-bit one")]
    OtherClass,
    /// Some other kind of ELF file.
    #[error("not a shared library")]
    NotShared,
    /// A library for another machine.
    #[error("a library for another machine (ELF machine {0})")]
    OtherMachine(u16),
    /// A name that is no file name.
    #[error("its soname is not a file name")]
    BadSoname,
    /// Its headers have no end.
    #[error("more than {0} bytes of headers, names and versions")]
    TooLarge(u64),
    /// What it needs cannot be told.
    #[error("its list of needed libraries cannot be read")]
    BadNeeded,
}
