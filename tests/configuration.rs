//! The configuration at its borders: what is wrong with a file and where, what comes of files, environment and flags, and
//! that the shipped example is the defaults.
#![cfg(test)]

mod common;

#[path = "configuration/example.rs"]
mod example;
#[path = "configuration/precedence.rs"]
mod precedence;
#[path = "configuration/presets.rs"]
mod presets;
#[path = "configuration/program.rs"]
mod program;
#[path = "configuration/services.rs"]
mod services;
#[path = "configuration/wrong.rs"]
mod wrong;
