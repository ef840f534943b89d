//! NRI, by which a container runtime asks plugins while it makes pods and containers.

pub mod connection;
pub mod frames;
pub mod pb;
pub mod session;
mod told;

pub use told::MEMLOCK;
