//! `cxi-device-plugin isolation`: the real program between an emulated container runtime and drivers in memory.
#![cfg(test)]

#[path = "isolation/commands.rs"]
mod commands;
mod common;
#[path = "isolation/fixture.rs"]
mod fixture;
#[path = "isolation/health.rs"]
mod health;
#[path = "isolation/pods.rs"]
mod pods;
#[path = "isolation/restarts.rs"]
mod restarts;
#[path = "isolation/runtimes.rs"]
mod runtimes;
