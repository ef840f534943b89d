//! The log of the daemon: the journal, with the fields of each message, or lines on stderr.

use std::fmt::Debug;
use std::io::{self, IsTerminal};

use nix::sys::stat::fstat;
use tracing::Level;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry, reload};

use crate::model::config::settings::{LogFormat, LogSettings, LogTarget};
use crate::model::printable;

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

/// Begins to log.
pub fn start(log: &LogSettings) -> LogLevel {
    let (filter, handle) = reload::Layer::new(targets(log.level));
    let leads_to_journal = leads_to_journal();
    let journal = match log.target {
        LogTarget::Stderr => None,
        LogTarget::Auto if !leads_to_journal => None,
        // A journal that cannot be reached is no reason not to run.
        LogTarget::Auto | LogTarget::Journald => tracing_journald::layer().ok(),
    };
    match journal {
        Some(journal) => {
            let journal = journal.with_field_prefix(None).with_priority_mappings(priorities());
            registry().with(journal.with_filter(filter)).init();
        }
        None => registry()
            .with(lines(log.format, leads_to_journal).with_filter(filter))
            .init(),
    }
    LogLevel(handle)
}

/// The level is that of our own messages: the libraries below have nothing to say to an admin.
fn targets(level: Level) -> Targets {
    Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(LevelFilter::OFF)
}

/// The journal's words for our levels.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        ..PriorityMappings::new()
    }
}

/// Lines on stderr; without a time where the journal adds its own.
fn lines<S>(format: LogFormat, leads_to_journal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    match (format, leads_to_journal) {
        (LogFormat::Json, _) => lines.json().flatten_event(true).boxed(),
        (LogFormat::Text, true) => lines
            .fmt_fields(debug_fn(field))
            .with_ansi(false)
            .without_time()
            .boxed(),
        (LogFormat::Text, false) => {
            let with_colours = io::stderr().is_terminal();
            lines.fmt_fields(debug_fn(field)).with_ansi(with_colours).boxed()
        }
    }
}

/// The message, then what it does not say itself.
fn field(line: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    match field.name() {
        "message" => write!(line, "{}", printable::line(&format!("{value:?}"))),
        "message_id" | "nic" | "reason" | "condition" | "file" | "version" | "now" | "late" => Ok(()),
        name => write!(line, " {name}={}", printable::line(&format!("{value:?}"))),
    }
}

/// systemd says which file the journal reads.
fn leads_to_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}
