//! The log of the daemon: the journal, with the fields of each message, or lines on stderr. Who logs waits for nobody: a
//! thread of the log's own writes what others hand to it.

mod line;
mod outlet;
mod text;

use std::fmt;
use std::io::{self, IsTerminal};
use std::os::unix::net::UnixDatagram;
use std::panic;

use nix::sys::stat::fstat;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, registry, reload};

use self::line::Line;
use self::outlet::{JOURNAL, Outlet, Target};
use crate::model::config::settings::{LogFormat, LogSettings, LogTarget};

/// The running log. Writes out what it can when it goes.
#[derive(Debug)]
pub struct Log {
    level: LogLevel,
    outlet: Outlet,
}

/// Changes the level of the running log.
#[derive(Debug, Clone)]
pub struct LogLevel(Handle<Targets, Registry>);

impl Log {
    /// Begins to log.
    pub fn start(log: &LogSettings) -> Self {
        let (filter, handle) = reload::Layer::new(targets(log.level));
        let leads_to_journal = leads_to_journal();
        let target = match log.target {
            LogTarget::Stderr => Target::Stderr,
            LogTarget::Auto if !leads_to_journal => Target::Stderr,
            // A journal that cannot be reached is no reason not to run.
            LogTarget::Auto | LogTarget::Journald if has_journal() => Target::Journal,
            LogTarget::Auto | LogTarget::Journald => Target::Stderr,
        };
        let form = match (target, log.format) {
            (Target::Journal, _) => Form::Journal,
            (Target::Stderr, LogFormat::Json) => Form::Json,
            // The journal adds its own time.
            (Target::Stderr, LogFormat::Text) if leads_to_journal => Form::Bare,
            (Target::Stderr, LogFormat::Text) if io::stderr().is_terminal() => Form::Coloured,
            (Target::Stderr, LogFormat::Text) => Form::Plain,
        };
        let outlet = Outlet::new(target);
        let lines = Lines {
            form,
            outlet: outlet.clone(),
        };
        registry().with(lines.with_filter(filter)).init();
        let (before, last) = (panic::take_hook(), outlet.clone());
        panic::set_hook(Box::new(move |info| {
            last.flush();
            before(info);
        }));
        Self {
            level: LogLevel(handle),
            outlet,
        }
    }

    /// To change its level.
    pub fn level(&self) -> LogLevel {
        self.level.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.outlet.flush();
    }
}

impl LogLevel {
    /// From now on, this is the least severe level.
    pub fn set(&self, level: Level) {
        if let Err(error) = self.0.reload(targets(level)) {
            tracing::error!("the log level stays as it was: {error}");
        }
    }
}

/// How a message looks.
#[derive(Debug, Clone, Copy)]
enum Form {
    Journal,
    Json,
    Plain,
    Coloured,
    Bare,
}

/// Makes lines of messages.
struct Lines {
    form: Form,
    outlet: Outlet,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.form.fmt(f)
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::new(event);
        self.outlet.put(match self.form {
            Form::Journal => line.for_journal(),
            Form::Json => line.json(),
            Form::Plain => line.text(true, false),
            Form::Coloured => line.text(true, true),
            Form::Bare => line.text(false, false),
        });
    }
}

/// The level is that of our own messages: the libraries below have nothing to say to an admin.
fn targets(level: Level) -> Targets {
    Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(LevelFilter::OFF)
}

/// systemd says which file the journal reads.
fn leads_to_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

/// To connect sends nothing, and waits for nobody.
fn has_journal() -> bool {
    UnixDatagram::unbound().is_ok_and(|socket| socket.connect(JOURNAL).is_ok())
}
