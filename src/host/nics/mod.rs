//! The NICs of the node as sysfs and the device nodes show them, and what is kept of them between scans.

pub mod attributes;
mod beside;
pub mod cordons;
pub mod fru;
pub mod health_state;
pub mod now;
mod readers;
pub mod scan;
pub mod scan_options;
pub mod scan_runner;
mod service_lists;
pub mod services_now;
mod survey;
