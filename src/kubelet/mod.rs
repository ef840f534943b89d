//! Kubelet: the device plugin API, the state machine that keeps us registered, and the question which pod holds what.

mod channel;
mod competing;
mod connection;
pub mod cri;
pub mod directory;
mod list_stream;
pub mod pb;
pub mod pod_resources;
pub mod registration;
mod server;
pub mod service;
pub mod session;
mod socket;
mod standing;
pub mod streams;
mod waiting;
