//! CDI directories: our own spec file, and the specs of others beside it.

pub mod directory;
pub mod keeper;
mod resolver;
pub mod spec_files;
