//! Kubelet: the device plugin API, and the state machine that keeps us registered.

mod channel;
mod competing;
mod connection;
pub mod cri;
pub mod directory;
mod list_stream;
pub mod pb;
pub mod registration;
mod server;
pub mod service;
pub mod session;
mod socket;
mod standing;
pub mod streams;
mod waiting;
