//! An emulated Slingshot node ([`node`]), an emulated kubelet ([`kubelet`]), and scenarios for a daemon between the two
//! ([`scenario`]). It shares no code with the programs under test, only the `.proto` file, whose bytes a test pins.

pub mod bench;
pub mod demo;
#[expect(clippy::indexing_slicing, reason = "arrays with a place for each kind of resource")]
pub mod driver;
pub mod kubelet;
pub mod node;
pub mod nri;
pub mod scenario;
pub mod sysfs;
