//! The NICs of the node as sysfs and the device nodes show them, and what is kept of them between scans.

pub mod attributes;
pub mod cordons;
mod course;
pub mod fru;
pub mod lookout;
pub mod memory;
pub mod scan;
