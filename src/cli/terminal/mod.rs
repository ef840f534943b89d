//! How both programs speak to people and to other programs on standard output.

pub mod nic_table;
pub mod output;
pub mod table;
