//! Containers from outside: a process in one, by which names it has its NICs, and what its loader makes of the host's libraries.

pub mod loader_view;
mod node_names;
pub mod of_pods;
pub mod process;
