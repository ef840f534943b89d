//! Would libfabric in a running container accept each NIC of the node? Pure: facts in, findings out.
//!
//! The checks are those of libcxi (`devinfo.c`, `cxil_get_device_list`) and of libfabric's provider (`cxip_if.c`,
//! `cxip_query_if_list` and `cxip_get_if`), in their order, and what a program needs beyond them.

mod facts;
mod given;
pub mod parse;
mod service;
mod ungiven;
mod verdict;

pub use self::facts::{ContainerFacts, Identity, NicInContainer, NodeInContainer, ServicesOfNics};
pub use self::given::{GivenFacts, HeldNode, PodContainer, PodContainers, Unfitting};
pub use self::verdict::{ContainerFinding, ContainerReport, NicReport, judge};
