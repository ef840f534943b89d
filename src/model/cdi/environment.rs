//! Environment variables for containers, from the file of `--env-vars`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};
use thiserror::Error;

/// A variable whose key a runtime accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentVariable {
    key: String,
    value: String,
}

/// Why a text is no environment.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// Not YAML, or not of the right shape.
    #[error("not a YAML file with a key 'env:' that holds a list of KEY=VALUE or a map of KEY: VALUE")]
    Yaml(#[from] serde_saphyr::Error),
    /// An entry without a usable key.
    #[error("'{0}' is no variable: write KEY=VALUE, with a key without '=' and no NUL anywhere")]
    Variable(String),
    /// A key that two entries have: which of them counts would be each reader's guess.
    #[error("{key} stands twice, lines {first} and {second}: leave one of them out")]
    Twice {
        /// The key.
        key: String,
        /// Where it stands first.
        first: u64,
        /// Where it stands again.
        second: u64,
    },
}

impl EnvironmentVariable {
    /// Checks the key: not empty, without '='; and both: without NUL, which no environment can hold.
    pub fn new(key: &str, value: &str) -> Result<Self, EnvironmentError> {
        if key.is_empty() || key.contains('=') || key.contains('\0') || value.contains('\0') {
            return Err(EnvironmentError::Variable(format!("{key}={value}")));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }

    /// The name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Everything behind the first '='.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for EnvironmentVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    env: Entries,
}

/// What is under `env:`, in the form in which it stands there.
enum Entries {
    List(Vec<Spanned<String>>),
    /// A key without a value is set and empty.
    Map(Vec<(Spanned<String>, Option<String>)>),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor)
    }
}

struct EntriesVisitor;

/// The kind of the whole is as it stands there; each key and value is a text, whatever it looks like.
impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of KEY=VALUE or a map of KEY: VALUE")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Entries, E> {
        Ok(Entries::List(Vec::new()))
    }

    fn visit_none<E: de::Error>(self) -> Result<Entries, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Entries::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries::Map(entries))
    }
}

/// Reads the YAML text of an environment file. Values keep every '=' after the first and lose the quotes of YAML and
/// those round the value of a `KEY="VALUE"` entry. With nothing under `env:` there is no variable.
pub fn parse(text: &str) -> Result<Vec<EnvironmentVariable>, EnvironmentError> {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    let File { env } = serde_saphyr::from_str_with_options(text, options)?;
    let variables: Vec<(u64, EnvironmentVariable)> = match env {
        Entries::List(list) => list
            .iter()
            .map(|entry| Ok((entry.referenced.line(), parse_entry(&entry.value)?)))
            .collect::<Result<_, EnvironmentError>>()?,
        Entries::Map(map) => {
            let variable = |(key, value): (Spanned<String>, Option<String>)| {
                let variable = EnvironmentVariable::new(&key.value, &value.unwrap_or_default())?;
                Ok((key.referenced.line(), variable))
            };
            let mut variables = map
                .into_iter()
                .map(variable)
                .collect::<Result<Vec<_>, EnvironmentError>>()?;
            // A map has no order of its own.
            variables.sort_by(|(_, one), (_, other)| one.key.cmp(&other.key));
            variables
        }
    };
    none_stands_twice(&variables)?;
    Ok(variables.into_iter().map(|(_, variable)| variable).collect())
}

fn none_stands_twice(variables: &[(u64, EnvironmentVariable)]) -> Result<(), EnvironmentError> {
    let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
    for (line, variable) in variables {
        if let Some(first) = lines.insert(&variable.key, *line) {
            return Err(EnvironmentError::Twice {
                key: variable.key.clone(),
                first,
                second: *line,
            });
        }
    }
    Ok(())
}

fn parse_entry(entry: &str) -> Result<EnvironmentVariable, EnvironmentError> {
    let (key, value) = entry
        .split_once('=')
        .ok_or_else(|| EnvironmentError::Variable(entry.to_owned()))?;
    EnvironmentVariable::new(key, unquoted(value))
}

/// `KEY="VALUE"` is a plain scalar to YAML, quotes and all; who writes it means the value.
fn unquoted(value: &str) -> &str {
    let inner = |quote| {
        value
            .strip_prefix(quote)
            .and_then(|rest: &str| rest.strip_suffix(quote))
    };
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(yaml: &str) -> Vec<String> {
        parse(yaml).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values_keep_equals_signs_and_lose_quotes() {
        let list = "env:\n- FI_PROVIDER=cxi\n- OPTS=a=b=c\n- QUOTED=\"x y\"\n- 'WHOLE=it''s'\n- EMPTY=\n";
        assert_eq!(
            texts(list),
            ["FI_PROVIDER=cxi", "OPTS=a=b=c", "QUOTED=x y", "WHOLE=it's", "EMPTY="]
        );
        assert_eq!(texts("env:\n  B: \"x=y\"\n  A: 'z'\n"), ["A=z", "B=x=y"]);
    }

    #[test]
    fn what_looks_like_a_number_or_truth_stays_as_written() {
        let yaml = "env:\n  A: 0666\n  B: yes\n  C: 0000:21:00.0\n  D: 1e3\n  E:\n";
        assert_eq!(texts(yaml), ["A=0666", "B=yes", "C=0000:21:00.0", "D=1e3", "E="]);
    }

    #[test]
    fn what_is_no_environment_is_refused() {
        for yaml in [
            "",
            "env",
            "env: x",
            "vars:\n- A=b",
            "env:\n- A",
            "env:\n- =b",
            "env:\n- A=b\nother: 1",
        ] {
            assert!(parse(yaml).is_err(), "{yaml:?}");
        }
    }
}
