//! The NICs of the node as sysfs and the device nodes show them, and what is kept of them between scans.

pub mod attributes;
pub mod cordons;
pub mod fru;
pub mod health_state;
pub mod scan;
pub mod scan_options;
mod scan_progress;
pub mod scan_runner;
