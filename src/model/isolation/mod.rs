//! CXI services for pods: which pod gets which VNI, what is in the ledger, and what may be done to a service. Pure.

pub mod container;
pub mod ledger;
pub mod lookalike;
pub mod pod;
pub mod record;
pub mod vni;
