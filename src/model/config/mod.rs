//! The configuration, in three stages: a [`fragment`] is what one place says, as written; [`inputs`] is what comes of all
//! of them, each value with its origin; [`settings`] is what the daemon runs by, [`loaded`] with all checks. Pure: [`crate::host`] reads the
//! files, the programs know their flags and environment.

mod cxi_service;
pub mod fragment;
pub mod inputs;
mod keys;
pub mod loaded;
pub mod preset;
pub mod problem;
pub mod reload;
pub mod settings;
pub mod show;
mod socket_path;
mod unknown;
pub mod value;
mod warnings;

pub use self::fragment::Fragment;
pub use self::loaded::LoadedConfig;
pub use self::problem::{ConfigError, Origin, Problem};
pub use self::settings::Settings;
