//! The node: the only place that touches it. Each file owns one kind of outside.

pub mod bundle;
pub mod cdi_dir;
pub mod clock;
pub mod containers;
pub mod device;
pub mod events;
pub mod failure_log;
pub mod files;
pub mod libraries;
pub mod nics;
pub mod node_links;
pub mod notify_socket;
pub mod probe;
pub mod worker;
