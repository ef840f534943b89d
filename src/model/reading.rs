//! What was read of the host, or why it could not be read.

use std::fmt;
use std::path::PathBuf;

/// A value read from the host, or why it could not be read.
pub type Reading<T> = Result<T, ReadError>;

/// Why a value is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// What was read.
    pub path: PathBuf,
    /// What went wrong, as a phrase.
    pub reason: String,
}

impl ReadError {
    /// A value at `path` that is unknown because of `reason`.
    pub fn new(path: impl Into<PathBuf>, reason: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}
