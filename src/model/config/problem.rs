//! Where a value comes from, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

use crate::model::printable;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Origin {
    /// Nowhere.
    Default,
    /// In a preset that was asked for.
    Preset {
        /// Its name.
        name: &'static str,
        /// When its values were right.
        dated: &'static str,
    },
    /// In a file.
    File {
        /// The file.
        file: PathBuf,
        /// Counted from 1; 0 for the file as a whole.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// In a variable of the environment.
    Environment {
        /// Its name.
        name: String,
    },
    /// On the command line.
    Flag {
        /// With its dashes.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset { name, dated } => write!(f, "preset {name} of {dated}"),
            Self::File { file, line: 0, .. } => write!(f, "{}", file.display()),
            Self::File { file, line, .. } => write!(f, "{}:{line}", file.display()),
            Self::Environment { name } => write!(f, "${name}"),
            Self::Flag { name } => f.write_str(name),
        }
    }
}

/// Something that is wrong in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// Of which key; none for a text that has none.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Origin::File { line: 1.., column, .. } = &self.origin {
            write!(f, ":{column}")?;
        }
        match &self.key {
            Some(key) => write!(f, ": {key}: {}", self.reason),
            None => write!(f, ": {}", self.reason),
        }
    }
}

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the configuration cannot be used:{}", lines(.0))]
pub struct ConfigError(pub Vec<Problem>);

/// So many are said; nobody reads on in a file that is wrong as a whole.
const SAID: usize = 100;

fn lines(problems: &[Problem]) -> String {
    let said = problems.iter().take(SAID);
    let said = said.map(|problem| printable::line(&problem.to_string()).into_owned());
    let more = problems.len().saturating_sub(SAID);
    let rest = (more > 0).then(|| format!("and {more} more"));
    said.chain(rest).map(|line| format!("\n  {line}")).collect()
}

impl ConfigError {
    /// Whether it was the command line alone that was wrong.
    pub fn is_wrong_usage(&self) -> bool {
        self.0
            .iter()
            .all(|problem| matches!(problem.origin, Origin::Flag { .. }))
    }
}
