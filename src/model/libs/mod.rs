//! Libraries: how loaders search, what glibc's own are, and what an image makes of the host's.

pub mod choice;
pub mod effort;
pub mod given;
pub mod glibc;
pub mod image;
pub mod library_mode;
pub mod loader;
pub mod loading;
mod places;
pub mod release;
