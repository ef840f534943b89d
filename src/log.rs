//! The log of the daemon.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Logs to stderr, with colours only on a terminal, and without a time where the journal adds its own. The level is that
/// of our own messages: the libraries below have nothing to say to an admin.
pub fn to_stderr(level: Level) {
    let targets = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(LevelFilter::OFF);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    let log = registry();
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.with(lines.without_time().with_filter(targets)).init();
    } else {
        log.with(lines.with_filter(targets)).init();
    }
}
