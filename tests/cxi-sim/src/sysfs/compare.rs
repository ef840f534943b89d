//! How two listings differ. Pure.

use std::fmt;

use serde::Deserialize;

use super::Listing;

/// Which way two listings differ at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The kernel has it, the tree of files does not.
    OnlyGuest,
    /// The tree of files has it, the kernel does not.
    OnlyTree,
    /// Mode, target or content are not the same.
    Differs,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: String,
    /// Which way.
    pub kind: Kind,
    /// What the tree has.
    pub tree: String,
    /// What the kernel has.
    pub guest: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            kind,
            tree,
            guest,
        } = self;
        match kind {
            Kind::OnlyGuest => write!(f, "only_guest {path}: {guest}"),
            Kind::OnlyTree => write!(f, "only_tree {path}: {tree}"),
            Kind::Differs => write!(f, "differs {path}: tree {tree}, guest {guest}"),
        }
    }
}

/// Every difference, in the order of the paths.
pub fn compare(tree: &Listing, guest: &Listing) -> Vec<Difference> {
    let mut paths: Vec<&String> = tree.keys().chain(guest.keys()).collect();
    paths.sort();
    paths.dedup();
    let difference = |path: &String| {
        let (in_tree, in_guest) = (tree.get(path), guest.get(path));
        let kind = match (in_tree, in_guest) {
            (Some(a), Some(b)) if a == b => return None,
            (Some(_), Some(_)) => Kind::Differs,
            (Some(_), None) => Kind::OnlyTree,
            _ => Kind::OnlyGuest,
        };
        Some(Difference {
            path: path.clone(),
            kind,
            tree: in_tree.cloned().unwrap_or_default(),
            guest: in_guest.cloned().unwrap_or_default(),
        })
    };
    paths.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents_are_compared() {
        let listing = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let tree = listing(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let guest = listing(&[("b", "1"), ("c", "2"), ("d", "1")]);
        let found: Vec<_> = compare(&tree, &guest).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["only_tree a: 1", "differs c: tree 1, guest 2", "only_guest d: 1"]
        );
    }
}
