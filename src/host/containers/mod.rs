//! Containers from outside: a process in one, and what its loader makes of the host's libraries.

pub mod forecast;
pub mod process;
