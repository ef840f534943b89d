//! HPE Slingshot (CXI) NICs in containers.
//!
//! ```text
//! trigger ─> scan ─> inventory ─> health ─> snapshot ─┬─> CDI file
//! (a hint   (host)    (pure)      (pure)    (watch)   └─> ListAndWatch, Allocate
//!  only)
//! ```
//!
//! Data flows one way. What decides is pure: [`model`] knows no disk, no clock and no network (`tests/layering.rs` holds
//! it to that). [`host`] reads and writes the node, [`kubelet`] talks to kubelet; the two meet in [`daemon`].

// What the programs must not call; see clippy.toml.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod cli;
pub mod daemon;
pub mod export;
pub mod host;
pub mod isolation;
pub mod kubelet;
pub mod metrics;
pub mod model;
