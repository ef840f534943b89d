//! HPE Slingshot (CXI) NICs in containers.
//!
//! ```text
//! trigger ─> scan ─> inventory ─> health ─> snapshot ─┬─> CDI file
//! (a hint   (host)    (pure)      (pure)    (watch)   └─> ListAndWatch, Allocate
//!  only)
//! ```
//!
//! Data flows one way. What decides is pure: [`inventory`], [`offer`], [`health`], [`cdi`], [`snapshot`] and
//! [`allocate`] know no disk, no clock and no network (`tests/layering.rs` holds them to it). [`host`] reads and writes
//! the node, [`kubelet`] talks to kubelet; the two meet in [`daemon`].

// What the programs must not call; see clippy.toml.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod allocate;
pub mod cdi;
pub mod config;
pub mod container;
pub mod daemon;
pub mod doctor;
pub mod environment;
pub mod exit;
pub mod export;
pub mod generator;
pub mod glibc;
pub mod health;
pub mod host;
pub mod host_args;
pub mod image;
pub mod inventory;
pub mod kubelet;
pub mod libraries;
pub mod loader;
pub mod log;
pub mod message_id;
pub mod metrics;
pub mod netlink;
pub mod nic_table;
pub mod offer;
pub mod pci;
pub mod plugin;
pub mod preference;
pub mod rate_limit;
pub mod readiness;
pub mod remedy;
pub mod resource;
pub mod selection;
pub mod settle;
pub mod snapshot;
pub mod status;
pub mod terminal;
pub mod trigger;
