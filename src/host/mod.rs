//! The node: everything that touches its files. Each file owns one kind of outside.

pub mod cdi_directory;
pub mod elf;
pub mod fru;
pub mod ld_cache;
pub mod libraries;
pub mod lock;
pub mod roots;
pub mod scan;
pub mod store;
pub mod temporary;
pub mod watch;
