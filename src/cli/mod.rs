//! What people type, and what they see of it: the command lines of both programs.

pub mod exit;
pub mod generator;
pub mod host_args;
pub mod plugin;
pub mod terminal;
