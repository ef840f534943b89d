//! The container runtime of kubelet's pods, asked who it is: the part of the Container Runtime Interface that this takes.

pub mod asker;
pub mod pb;
mod question;
pub mod sockets;
