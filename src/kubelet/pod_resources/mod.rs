//! Kubelet's answer to the question which pod holds which NIC. Asked when somebody wants to know, never by the loop of the
//! daemon: what comes of it decides nothing about NICs.

mod client;
pub mod pb;

pub use self::client::{DEADLINE, PodResources};
