//! The log of the daemon.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry, reload};

use crate::config::settings::{Log, LogFormat};

/// Changes the level of the running log.
#[derive(Debug)]
pub struct LogLevel(Handle<Targets, Registry>);

impl LogLevel {
    /// From now on, this is the least severe level.
    pub fn set(&self, level: Level) {
        if let Err(error) = self.0.reload(targets(level)) {
            tracing::error!("the log level stays as it was: {error}");
        }
    }
}

/// Logs to stderr, with colours only on a terminal, and without a time where the journal adds its own.
pub fn to_stderr(log: &Log) -> LogLevel {
    let (filter, handle) = reload::Layer::new(targets(log.level));
    let has_time = std::env::var_os("JOURNAL_STREAM").is_none();
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match (log.format, has_time) {
        (LogFormat::Json, true) => lines.json().flatten_event(true).boxed(),
        (LogFormat::Json, false) => lines.json().flatten_event(true).without_time().boxed(),
        (LogFormat::Text, true) => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        (LogFormat::Text, false) => lines.with_ansi(io::stderr().is_terminal()).without_time().boxed(),
    };
    registry().with(lines.with_filter(filter)).init();
    LogLevel(handle)
}

/// The level is that of our own messages: the libraries below have nothing to say to an admin.
fn targets(level: Level) -> Targets {
    Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(LevelFilter::OFF)
}
