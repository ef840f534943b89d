//! The differences that are known, each with its reason. Pure, but for reading the file.
//!
//! ```yaml
//! - only_guest: [nic/msi_bus, nic/power/*]   # or only_tree, differs; * is any part of a name, ** any part of a path
//!   reason: ...
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Difference, Kind};

/// A file of known differences.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Known(Vec<Entry>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    only_guest: Vec<String>,
    #[serde(default)]
    only_tree: Vec<String>,
    #[serde(default)]
    differs: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
}

/// The file of known differences is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{}: {text}", file.display())]
pub struct KnownError {
    file: PathBuf,
    text: String,
}

/// What is wrong with the differences; empty if all is well.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Differences that no entry tells of.
    pub unknown: Vec<Difference>,
    /// Patterns that no difference goes with any more.
    pub gone: Vec<String>,
}

impl Known {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn from_file(file: &Path) -> Result<Self, KnownError> {
        let wrong = |text: String| KnownError {
            file: file.to_owned(),
            text,
        };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|error| wrong(error.without_snippet().to_string()))
    }

    /// Holds the differences of all listings against the known ones.
    pub fn judge(&self, differences: &[Difference]) -> Verdict {
        let patterns = || self.0.iter().flat_map(Entry::patterns);
        let goes_with = |(kind, pattern): (Kind, &str), difference: &Difference| {
            kind == difference.kind && matches(pattern, &difference.path)
        };
        let known = |difference: &&Difference| patterns().any(|pattern| goes_with(pattern, difference));
        let gone = |pattern: &(Kind, &str)| !differences.iter().any(|difference| goes_with(*pattern, difference));
        Verdict {
            unknown: differences.iter().filter(|d| !known(d)).cloned().collect(),
            gone: patterns()
                .filter(gone)
                .map(|(kind, pattern)| format!("{kind:?} {pattern}"))
                .collect(),
        }
    }
}

impl Entry {
    fn patterns(&self) -> impl Iterator<Item = (Kind, &str)> {
        let guest = self
            .only_guest
            .iter()
            .map(|pattern| (Kind::OnlyGuest, pattern.as_str()));
        let tree = self.only_tree.iter().map(|pattern| (Kind::OnlyTree, pattern.as_str()));
        let differs = self.differs.iter().map(|pattern| (Kind::Differs, pattern.as_str()));
        guest.chain(tree).chain(differs)
    }
}

/// `*` is any part of one name, `**` any part of a path.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(path) = path.strip_prefix(before) else {
        return false;
    };
    let (rest, deep) = rest.strip_prefix('*').map_or((rest, false), |rest| (rest, true));
    let ends = path.char_indices().map(|(index, _)| index).chain([path.len()]);
    ends.filter_map(|end| path.split_at_checked(end))
        .take_while(|(taken, _)| deep || !taken.contains('/'))
        .any(|(_, left)| matches(rest, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_parts_of_names_and_of_paths() {
        for (pattern, path, expected) in [
            ("nic/enable", "nic/enable", true),
            ("nic/enable", "nic/enabled", false),
            ("nic/*/power", "nic/cxi/power", true),
            ("nic/*/power", "nic/cxi/cxi0/power", false),
            ("nic/**/power", "nic/cxi/cxi0/power", true),
            ("nic/aer_*", "nic/aer_dev_fatal", true),
            ("**", "nic/x/y", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_nobody_lists_and_what_is_listed_in_vain_are_both_told() {
        let known: Known =
            serde_saphyr::from_str("- {only_guest: [a, b], reason: x}\n- {differs: [c], reason: y}\n").expect("parses");
        let found = |path: &str, kind| Difference {
            path: path.to_owned(),
            kind,
            tree: String::new(),
            guest: String::new(),
        };
        let verdict = known.judge(&[found("a", Kind::OnlyGuest), found("c", Kind::OnlyTree)]);
        assert_eq!(verdict.unknown, [found("c", Kind::OnlyTree)]);
        assert_eq!(verdict.gone, ["OnlyGuest b", "Differs c"]);
    }
}
