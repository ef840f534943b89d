//! Commands on `/dev/cxiN`: what the driver says of services, and what it is told to do.

pub mod asking;
pub mod commands;
pub mod driver;
pub mod ending;
pub mod endings;
mod exchange;
pub mod groups;
pub mod namespaces;
pub mod node;
mod ns_type;
pub mod survey;
pub mod work;
