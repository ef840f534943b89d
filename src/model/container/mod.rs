//! Would libfabric in a running container accept each NIC of the node? Pure: facts in, findings out.
//!
//! The checks are those of libcxi (`devinfo.c`, `cxil_get_device_list`) and of libfabric's provider (`cxip_if.c`,
//! `cxip_query_if_list` and `cxip_get_if`), in their order, and what a program needs beyond them.

mod facts;
mod finding;
mod given;
mod node;
pub mod parse;
mod readable;
mod service;
mod ungiven;
mod variables;
mod verdict;

pub use self::facts::{
    CompanionInContainer, ContainerFacts, FileInContainer, Identity, MappedIds, NicInContainer, NodeInContainer,
    ServicesOfNics, Userfaultfd,
};
pub use self::finding::ContainerFinding;
pub use self::given::{GivenFacts, HeldNode, PodContainer, PodContainers, Unfitting};
pub use self::verdict::{ContainerReport, NicReport, judge};
