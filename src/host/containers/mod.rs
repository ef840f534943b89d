//! Containers from outside: a process in one, and what its loader makes of the host's libraries.

pub mod loader_view;
pub mod of_pods;
pub mod process;
