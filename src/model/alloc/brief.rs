//! Texts of others in few words, such that they fill no log and steer no terminal. Pure.

use std::fmt;

/// Characters of a text; a device ID has at most 63.
const CHARACTERS: usize = 63;
/// IDs of a container, and containers, that are named.
const IDS: usize = 8;
const CONTAINERS: usize = 4;

/// The beginning of an ID, with everything escaped that is not printed.
pub fn excerpt(id: &str) -> String {
    beginning(id, CHARACTERS)
}

/// So many characters of a text, with everything escaped that is not printed.
pub fn beginning(text: &str, count: usize) -> String {
    let mut characters = text.chars();
    let mut excerpt: String = (&mut characters).take(count).flat_map(char::escape_debug).collect();
    if characters.next().is_some() {
        excerpt += "…";
    }
    excerpt
}

/// What was asked for, by container.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a>(pub &'a [&'a [String]]);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let container = |ids: &&[String]| {
            let quoted = ids.iter().map(|id| format!("\"{}\"", excerpt(id)));
            format!("[{}]", some(quoted, ids.len(), IDS))
        };
        write!(f, "[{}]", some(self.0.iter().map(container), self.0.len(), CONTAINERS))
    }
}

/// The first of them, and how many more there are.
fn some(texts: impl Iterator<Item = String>, count: usize, limit: usize) -> String {
    let mut some: Vec<String> = texts.take(limit).collect();
    if count > limit {
        some.push(format!("and {} more", count - limit));
    }
    some.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_short_ones_are_all_there() {
        let ids = ["a".to_owned(), "b".to_owned()];
        assert_eq!(Asked(&[&ids, &[]]).to_string(), r#"[["a", "b"], []]"#);
    }

    #[test]
    fn many_long_and_unprintable_ones_are_cut() {
        let ids = vec!["\u{1b}\n".repeat(1000); 4096];
        let containers = vec![ids.as_slice(); 100];
        let text = Asked(&containers).to_string();
        assert!(text.len() < 20_000, "{}", text.len());
        assert!(
            text.contains("and 4088 more") && text.ends_with("and 96 more]"),
            "{text}"
        );
        assert!(!text.contains('\n') && !text.contains('\u{1b}'));
    }
}
