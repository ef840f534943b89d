//! What is decided, and the words for it. Pure: no disk, no clock, no network, no async.

pub mod alloc;
pub mod backoff;
pub mod cdi;
pub mod coalesce;
pub mod config;
pub mod container;
pub mod doctor;
pub mod health;
pub mod isolation;
pub mod libs;
pub mod message_id;
pub mod netlink;
pub mod nic;
pub mod pace;
pub mod path_walk;
pub mod pods;
pub mod printable;
pub mod rate_limit;
pub mod readiness;
pub mod reading;
pub mod remedy;
pub mod runtime;
pub mod services;
pub mod status;
pub mod trigger;
pub mod unit_sandbox;
