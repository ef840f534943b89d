//! One message, as the journal takes it or as a line.

use std::fmt::{Debug, Write};

use anstyle::{AnsiColor, Color, Style};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::text;

const IDENTIFIER: &str = "cxi-device-plugin";

/// A message and its fields.
#[derive(Debug)]
pub struct Line {
    metadata: &'static Metadata<'static>,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// Of an event.
    pub fn new(event: &Event<'_>) -> Self {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        Self {
            metadata: event.metadata(),
            fields: fields.0,
        }
    }

    /// The message, then what it does not say itself.
    pub fn text(&self, with_time: bool, with_colours: bool) -> Vec<u8> {
        let level = self.metadata.level();
        let (dim, colour) = match with_colours {
            true => (Style::new().dimmed(), colour(*level)),
            false => (Style::new(), Style::new()),
        };
        let mut line = match with_time {
            true => format!("{dim}{}{dim:#} ", time()),
            false => String::new(),
        };
        line += &format!("{colour}{level:>5}{colour:#}");
        for (name, value) in &self.fields {
            // More lines of a message can be told from other messages.
            let shown = plain(value).replace('\n', "\n    ");
            match *name {
                "message" => line += &format!(" {shown}"),
                "message_id" | "nic" | "reason" | "condition" | "file" | "version" | "now" | "late" => {}
                name => line += &format!(" {name}={shown}"),
            }
        }
        line.push('\n');
        line.into_bytes()
    }

    /// An object on a line.
    pub fn json(&self) -> Vec<u8> {
        let mut line = format!("{{\"timestamp\":\"{}\",\"level\":\"{}\"", time(), self.metadata.level());
        for (name, value) in &self.fields {
            line += &format!(",\"{name}\":{value}");
        }
        line += "}\n";
        line.into_bytes()
    }

    /// By the native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).
    pub fn for_journal(&self) -> Vec<u8> {
        let mut record = Vec::new();
        let mut put = |name: &str, value: &str| {
            record.extend_from_slice(name.to_ascii_uppercase().as_bytes());
            record.push(b'\n');
            record.extend_from_slice(&(value.len() as u64).to_le_bytes());
            record.extend_from_slice(value.as_bytes());
            record.push(b'\n');
        };
        put("priority", priority(*self.metadata.level()));
        put("syslog_identifier", IDENTIFIER);
        put("target", self.metadata.target());
        put("code_file", self.metadata.file().unwrap_or_default());
        put("code_line", &self.metadata.line().unwrap_or_default().to_string());
        for (name, value) in &self.fields {
            put(name, &plain(value));
        }
        record
    }
}

/// Takes the fields of an event.
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), text::of_debug(value).into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), text::of_str(value).into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The journal's number of a level (syslog(3)).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

fn colour(level: Level) -> Style {
    let colour = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        _ => AnsiColor::Blue,
    };
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

fn time() -> String {
    let mut time = String::new();
    if SystemTime.format_time(&mut Writer::new(&mut time)).is_err() {
        let _ = time.write_str("<no time>");
    }
    time
}
