//! Kubelet: the device plugin API, and the state machine that keeps us registered.

mod competing;
pub mod pb;
pub mod registration;
pub mod service;
pub mod session;
pub mod socket;
