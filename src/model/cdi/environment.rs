//! Environment variables for containers, from the file of `--env-vars`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
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
struct File<Entries> {
    env: Entries,
}

/// A key without a value is set and empty.
type Map = BTreeMap<String, Option<String>>;

/// Reads the YAML text of an environment file. Values keep every '=' after the first and lose the quotes of YAML and
/// those round the value of a `KEY="VALUE"` entry.
pub fn parse(text: &str) -> Result<Vec<EnvironmentVariable>, EnvironmentError> {
    // Told apart by trying, as an untagged enum would make numbers and truths of the values.
    if let Ok(file) = serde_saphyr::from_str::<File<Map>>(text) {
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        return file
            .env
            .iter()
            .map(|(key, text)| EnvironmentVariable::new(key, &value(text)))
            .collect();
    }
    let file: File<Vec<String>> = serde_saphyr::from_str(text)?;
    file.env.iter().map(|entry| parse_entry(entry)).collect()
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
