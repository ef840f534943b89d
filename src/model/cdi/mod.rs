//! The Container Device Interface: what our spec says, how it is written down, and who else's specs stand beside it.

pub mod drift;
pub mod environment;
pub mod format;
pub mod keys;
pub mod model;
pub mod naming;
pub mod netdev_view;
pub mod read;
pub mod render;
pub mod resolution;
pub mod survey;

/// Vendor and class of our devices: `hpe.com/cxi`.
pub const KIND: &str = "hpe.com/cxi";

/// Name of our spec file without its suffix, by the CDI convention for static and dynamic files: vendor-class.
pub const FILE_STEM: &str = "hpe.com-cxi";
