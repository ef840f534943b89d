//! What one place says, as it was written: a file, the environment, or the command line.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};

/// Keys with their values, in the order in which they were written.
pub type Table = Vec<ConfigEntry>;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// As written, without quotes.
    pub key: String,
    /// Where the key stands.
    pub origin: Origin,
    /// What it is set to.
    pub value: ValueNode,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueNode {
    /// Where it stands.
    pub origin: Origin,
    /// What was written.
    pub content: Content,
}

/// A value of the kinds that our keys have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A string.
    Text(String),
    /// true or false.
    Truth(bool),
    /// A whole number.
    Number(i64),
    /// Several values.
    List(Vec<ValueNode>),
    /// Keys with values.
    Table(Table),
    /// Something that no key takes, such as a date: its name.
    Other(&'static str),
}

impl Content {
    /// A list of values from the same place.
    pub fn list(origin: &Origin, contents: impl IntoIterator<Item = Self>) -> Self {
        let node = |content| ValueNode {
            origin: origin.clone(),
            content,
        };
        Self::List(contents.into_iter().map(node).collect())
    }
}

/// What one place says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Its top-level keys.
    pub table: Table,
    /// What could not even be read.
    pub faults: Vec<Problem>,
}

impl Fragment {
    /// Reads the text of a file, and notes all that is no TOML.
    pub fn parse(file: &Path, text: &str) -> Self {
        let source = Source::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let faults = errors.iter().map(|error| Problem {
            origin: source.origin(error.span().unwrap_or(0..0)),
            key: None,
            reason: format!("not TOML: {}", error.message()),
        });
        Self {
            faults: faults.collect(),
            table: source.table(document.get_ref()),
        }
    }

    /// Of a file that cannot be read.
    pub fn unreadable(file: &Path, reason: &str) -> Self {
        let origin = Origin::File {
            file: file.to_owned(),
            line: 0,
            column: 0,
        };
        let fault = Problem {
            origin,
            key: None,
            reason: format!("cannot be read: {reason}"),
        };
        Self {
            table: Table::new(),
            faults: vec![fault],
        }
    }

    /// Sets a key, such as `cdi.dir`, whatever it was set to.
    pub fn set(&mut self, path: &str, content: Content, origin: &Origin) {
        let path: Vec<&str> = path.split('.').collect();
        set(&mut self.table, &path, content, origin);
    }

    /// Sets a variable of containers, whose name may be anything.
    pub fn set_variable(&mut self, name: &str, content: Content, origin: &Origin) {
        set(&mut self.table, &["container", "env", name], content, origin);
    }
}

fn set(table: &mut Table, path: &[&str], content: Content, origin: &Origin) {
    match path {
        [] => {}
        [key] => put(table, key, content, origin),
        [key, rest @ ..] => {
            let old = table.iter_mut().find(|entry| entry.key == *key);
            let mut inner = match old.map(|entry| &mut entry.value.content) {
                Some(Content::Table(inner)) => std::mem::take(inner),
                _ => Table::new(),
            };
            set(&mut inner, rest, content, origin);
            put(table, key, Content::Table(inner), origin);
        }
    }
}

fn put(table: &mut Table, key: &str, content: Content, origin: &Origin) {
    table.retain(|entry| entry.key != key);
    table.push(ConfigEntry {
        key: key.to_owned(),
        origin: origin.clone(),
        value: ValueNode {
            origin: origin.clone(),
            content,
        },
    });
}

/// A file that is being read.
struct Source<'text> {
    file: &'text Path,
    /// Where each line but the first begins, and each byte that begins no character: a place is found without reading the
    /// text again for each.
    lines: Vec<usize>,
    inner: Vec<usize>,
}

impl<'text> Source<'text> {
    fn new(file: &'text Path, text: &str) -> Self {
        Self {
            file,
            lines: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            inner: (0..text.len()).filter(|at| !text.is_char_boundary(*at)).collect(),
        }
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let line = self.lines.partition_point(|begin| *begin <= span.start);
        let begin = line.checked_sub(1).and_then(|before| self.lines.get(before));
        let characters = |end: usize| end - self.inner.partition_point(|at| *at < end);
        Origin::File {
            file: self.file.to_owned(),
            line: line + 1,
            column: characters(span.start) - characters(begin.copied().unwrap_or(0)) + 1,
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&Spanned<_>, &Spanned<_>)| {
            let key_text: &std::borrow::Cow<'_, str> = key.get_ref();
            ConfigEntry {
                key: key_text.to_string(),
                origin: self.origin(key.span()),
                value: self.node(value),
            }
        };
        entries.into_iter().map(entry).collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> ValueNode {
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Text(text.to_string()),
            DeValue::Boolean(truth) => Content::Truth(*truth),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                parsed.map_or(Content::Other("a number out of range"), Content::Number)
            }
            DeValue::Array(values) => Content::List(values.iter().map(|value| self.node(value)).collect()),
            DeValue::Table(table) => Content::Table(self.table(table)),
            DeValue::Float(_) => Content::Other("a number with a fraction"),
            DeValue::Datetime(_) => Content::Other("a date or time"),
        };
        ValueNode {
            origin: self.origin(value.span()),
            content,
        }
    }
}
