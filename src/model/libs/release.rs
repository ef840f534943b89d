//! Releases of a library by the names of their directories: which is newer. Pure.

use std::cmp::Ordering;

/// A release, ordered by age: 2.10 is newer than 2.9, 2.2.0 newer than its candidate 2.2.0rc1, and 2.2.0-1 newer than 2.2.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release<'a> {
    name: &'a str,
    numbers: Vec<u64>,
    stage: Stage,
    /// What comes behind the numbers, as words and numbers.
    rest: Vec<Part<'a>>,
}

/// In the order in which they follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Development,
    Alpha,
    Beta,
    Candidate,
    Released,
    Patched,
}

/// A word is older than a number at the same place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Word(&'a str),
    Number(u64),
}

impl<'a> Release<'a> {
    /// By the name of its directory; one without a number in front is older than all others.
    pub fn new(name: &'a str) -> Self {
        let is_end = |c: char| !c.is_ascii_digit() && c != '.';
        let versioned = name.strip_prefix('v').unwrap_or(name);
        let end = versioned.find(is_end).unwrap_or(versioned.len());
        let (numbers, rest) = versioned.split_at(end);
        let texts = numbers.split('.').filter(|text| !text.is_empty());
        let mut numbers: Vec<u64> = texts.map(number).collect();
        // 2.2 and 2.2.0 are one release.
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Self {
            name,
            numbers,
            stage: stage(rest),
            rest: parts(rest),
        }
    }
}

impl Ord for Release<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |release: &Self| (release.numbers.clone(), release.stage, release.rest.clone());
        key(self).cmp(&key(other)).then_with(|| self.name.cmp(other.name))
    }
}

impl PartialOrd for Release<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A number that is too large for any release is the largest.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

fn stage(rest: &str) -> Stage {
    let words = rest.trim_start_matches(['-', '.', '_', '~', '+']);
    let end = words.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(words.len());
    let word = words.split_at(end).0.to_ascii_lowercase();
    match word.as_str() {
        _ if rest.is_empty() => Stage::Released,
        "dev" | "git" | "snapshot" => Stage::Development,
        "a" | "alpha" => Stage::Alpha,
        "b" | "beta" => Stage::Beta,
        "rc" | "c" | "pre" | "preview" => Stage::Candidate,
        _ => Stage::Patched,
    }
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = rest
            .find(|c: char| c.is_ascii_digit() != is_number)
            .unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        parts.push(if is_number {
            Part::Number(number(part))
        } else {
            Part::Word(part)
        });
        rest = behind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_an_order() {
        let rising = [
            "",
            "src",
            "1.9.0",
            "1.15.2",
            "1.15.2.0-1",
            "1.15.2.1",
            "1.22.0",
            "2.2.0.dev3",
            "2.2.0a1",
            "2.2.0b1",
            "2.2.0rc1",
            "2.2.0rc9",
            "2.2.0-rc10",
            "2.2.0",
            "2.2.0-9",
            "2.2.0-10",
            "2.9.0",
            "v2.10.0",
            "99999999999999999999999.1",
        ];
        for pair in rising.windows(2).filter(|pair| pair[0] != "2.2.0rc9") {
            assert!(Release::new(pair[0]) < Release::new(pair[1]), "{pair:?}");
        }
        assert!(
            Release::new("2.2") < Release::new("2.2.0"),
            "one release, told apart by name"
        );
        assert!(Release::new("2.2rc1") < Release::new("2.2.0"));
    }
}
