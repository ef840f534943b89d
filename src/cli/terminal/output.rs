//! What the program says on standard output: written as a whole, or an error that says so.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use serde::Serialize;

use crate::cli::exit;
use crate::model::printable;

/// Of headings.
pub const HEADING: Style = Style::new().bold();
/// Of what is as it should be, and of what a diff adds.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Of what needs a look.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// Of what does not work, and of what a diff takes away.
pub const BAD: Style = AnsiColor::Red.on_default();

/// For whom to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Audience {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Writes data for programs as they are: a spec, a configuration.
pub fn raw(text: &str) -> anyhow::Result<()> {
    written(io::stdout().lock(), text)
}

/// Writes a value for programs.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    raw(&json_text(value)?)
}

/// A value for programs.
pub fn json_text(value: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    Ok(printable::json(&text).into_owned())
}

/// Says one line to people.
pub fn line(text: &str) -> anyhow::Result<()> {
    raw(&(visible(text) + "\n"))
}

/// Writes for people: colours show on a terminal, unless the environment asks for none (`NO_COLOR`).
pub fn styled(text: &str) -> anyhow::Result<()> {
    written(anstream::stdout().lock(), &printable::styled(text))
}

fn written(mut out: impl Write, text: &str) -> anyhow::Result<()> {
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    exit::unless_closed(said).context("cannot write to standard output")
}

/// A text that came from outside, such that it cannot steer a terminal.
pub fn visible(text: &str) -> String {
    printable::line(text).into_owned()
}

/// A text in a style, such that it cannot leave it.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{}{style:#}", printable::line(text))
}
