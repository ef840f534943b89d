//! The host's libraries: where libfabric and libcxi are, what they need, what is in a library file.

mod access;
mod candidates;
pub mod closure;
pub mod elf;
mod family;
mod find;
pub mod image_loader;
pub mod ld_cache;
mod whole_directory;

pub use self::candidates::places;
pub use self::find::{Found, find};
