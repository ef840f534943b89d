//! The node: everything that touches its files. Each file owns one kind of outside.

pub mod attributes;
pub mod cdi_directory;
pub mod closure;
pub mod config_files;
pub mod cordons;
pub mod elf;
pub mod events;
pub mod fru;
pub mod image_loader;
pub mod ld_cache;
pub mod libraries;
pub mod lock;
pub mod lookout;
pub mod memory;
pub mod mounts;
pub mod roots;
pub mod scan;
pub mod spec_files;
pub mod store;
pub mod temporary;
pub mod watch;
