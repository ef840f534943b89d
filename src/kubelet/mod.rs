//! Kubelet: the device plugin API, and the state machine that keeps us registered.

pub mod pb;
pub mod registration;
mod rival;
pub mod service;
pub mod session;
pub mod socket;
