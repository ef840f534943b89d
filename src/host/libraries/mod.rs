//! The host's libraries: where libfabric and libcxi are, what they need, what is in a library file.

pub mod closure;
pub mod elf;
mod find;
pub mod image_loader;
pub mod ld_cache;

pub use self::find::{find, places};
