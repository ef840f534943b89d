//! An emulated Slingshot node ([`node`]) and an emulated kubelet ([`kubelet`]). It shares no code with the programs under
//! test, only the `.proto` file, whose bytes a test pins.

pub mod bench;
pub mod demo;
pub mod kubelet;
pub mod node;
