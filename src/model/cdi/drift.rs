//! How the spec on disk differs from the one that the node would get now. Pure.

use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::KIND;

/// Lines around a change.
const CONTEXT: usize = 3;
/// So that all users' runtimes may read it.
const MODE: u32 = 0o644;

/// What stands where a spec file of ours may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// What it says.
        text: String,
        /// Its permissions.
        mode: u32,
    },
    /// Something that is no spec, with what it is.
    Other(String),
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SpecDifference {
    /// For programs: missing, unexpected, unreadable, mode, differs, clash or foreign.
    pub kind: &'static str,
    /// Where.
    pub file: PathBuf,
    /// For people, after the file's name.
    pub text: String,
    /// From what is on disk to what should be there, for differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl SpecDifference {
    /// Without a diff.
    pub fn new(kind: &'static str, file: &Path, text: impl Into<String>) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            text: text.into(),
            diff: None,
        }
    }
}

/// What is wrong with our file; none of it should be there when nothing is `expected`.
pub fn file_differences(file: &Path, seen: &Seen, expected: Option<&str>) -> Vec<SpecDifference> {
    let finding = |kind, text: &str| vec![SpecDifference::new(kind, file, text)];
    match (seen, expected) {
        (Seen::Absent, None) => Vec::new(),
        (Seen::Absent, Some(_)) => finding("missing", "is missing"),
        (Seen::Other(what), _) => finding("unreadable", what),
        (Seen::File { .. }, None) => finding("unexpected", "should not be there: the node has no usable CXI NIC"),
        (Seen::File { text, mode }, Some(expected)) => [differs(file, text, expected), unreadable_mode(file, *mode)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// What is wrong with our file of the other format, which readers would read, too.
pub fn other_format_difference(file: &Path, seen: &Seen) -> Option<SpecDifference> {
    let text = "should not be there: readers drop every name that it shares with our file of the other format";
    match seen {
        Seen::Absent => None,
        Seen::File { .. } => Some(SpecDifference::new("unexpected", file, text)),
        Seen::Other(what) => Some(SpecDifference::new("unreadable", file, what)),
    }
}

fn differs(file: &Path, text: &str, expected: &str) -> Option<SpecDifference> {
    (text != expected).then(|| SpecDifference {
        diff: Some(diff(file, text, expected)),
        ..SpecDifference::new("differs", file, "is not what this node would get now")
    })
}

fn unreadable_mode(file: &Path, mode: u32) -> Option<SpecDifference> {
    (mode != MODE).then(|| SpecDifference::new("mode", file, format!("has mode {mode:04o} instead of {MODE:04o}")))
}

fn diff(file: &Path, old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&file.display().to_string(), "this node")
        .to_string()
}

/// A spec of another kind by the name of our file.
pub fn foreign(file: &Path, kind: &str) -> SpecDifference {
    let text = format!("is a spec of kind '{kind}' and not ours: give it a name of its own, or use another directory");
    SpecDifference::new("foreign", file, text)
}

/// A foreign file that has a name of ours.
pub fn clash(file: &Path, name: &str) -> SpecDifference {
    let text = format!("offers {KIND}={name}, too, and readers drop a name that two files offer: remove that file");
    SpecDifference::new("clash", file, text)
}
