//! What is published to kubelet, and what a container gets of it.

pub mod allocate;
pub mod brief;
pub mod preference;
pub mod resource;
pub mod snapshot;
pub mod strategy;
