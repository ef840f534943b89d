//! Nodes as sites have them: what public dumps and reports show, at the border at which people see it.
#![cfg(test)]

mod common;

#[path = "sites/commands.rs"]
mod commands;
#[path = "sites/environment.rs"]
mod environment;
#[path = "sites/numa.rs"]
mod numa;
#[path = "sites/runtimes.rs"]
mod runtimes;
#[path = "sites/speeds.rs"]
mod speeds;
#[path = "sites/unit.rs"]
mod unit;
#[path = "sites/uppers.rs"]
mod uppers;
