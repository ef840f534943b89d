//! Values as TOML, which people read, and for programs.

use std::fmt;

use serde::{Serialize, Serializer};
use toml::Value;

use super::fragment::Content;
use super::inputs::Effective;

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        value(self).fmt(f)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Truth(truth) => truth.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::List(nodes) => serializer.collect_seq(nodes.iter().map(|node| &node.content)),
            Self::Table(table) => serializer.collect_map(table.iter().map(|entry| (&entry.key, &entry.value.content))),
            Self::Other(name) => name.serialize(serializer),
        }
    }
}

fn value(content: &Content) -> Value {
    match content {
        Content::Text(text) => Value::String(text.clone()),
        Content::Truth(truth) => Value::Boolean(*truth),
        Content::Number(number) => Value::Integer(*number),
        Content::List(nodes) => Value::Array(nodes.iter().map(|node| value(&node.content)).collect()),
        Content::Table(table) => {
            let entries = table
                .iter()
                .map(|entry| (entry.key.clone(), value(&entry.value.content)));
            Value::Table(entries.collect())
        }
        Content::Other(name) => Value::String((*name).to_owned()),
    }
}

/// A file that says all this, with the origin of each value beside it.
pub fn as_file(effective: &[Effective]) -> String {
    let mut text = String::new();
    let mut current = String::new();
    for effective in effective {
        let table = effective.table();
        if table != current {
            let plain = table.replace("[0]", "");
            text += &if table.ends_with(']') {
                format!("\n[[{plain}]]\n")
            } else {
                format!("\n[{plain}]\n")
            };
            current = table.to_owned();
        }
        text += &format!(
            "{} = {}  # {}\n",
            quoted(effective.name()),
            effective.value,
            effective.origin
        );
    }
    text
}

/// A key as TOML has it.
fn quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}
