//! CXI services: the driver's rules about who may use a NIC, and with how much of it. Their commands as bytes, what they say, and
//! what follows from that.

pub mod abi;
pub mod admission;
pub mod answers;
pub mod create;
pub mod default_service;
pub mod descriptor;
pub mod lingering;
pub mod refused;
pub mod retry;
pub mod room;
pub mod service;
pub mod template;
