//! The log of the daemon.

use std::io::{self, IsTerminal};

use tracing::Level;

/// Logs to stderr, with colours only on a terminal, and without a time where the journal adds its own.
pub fn to_stderr(level: Level) {
    let log = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(level)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init()
    } else {
        log.init()
    }
}
