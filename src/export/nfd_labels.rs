//! A feature file for the `local` source of node-feature-discovery (`source/local/local.go`, v0.17): a label a line. Only
//! what stays the same while the node runs: labels are the scheduler's, and health is kubelet's. Pure.

use std::collections::BTreeSet;

use crate::metrics::exported_nic::ExportedNode;
use crate::model::nic::attributes::Generation;

/// Name of our file in the directory of feature files.
pub const FILE: &str = "hpe-cxi";
/// Before each label; NFD's own domain, which it takes without further settings.
const PREFIX: &str = "feature.node.kubernetes.io/cxi.";
/// Longest value of a label in Kubernetes.
const VALUE_LIMIT: usize = 63;

/// The file; none for a node without NICs on offer.
pub fn text(view: &ExportedNode) -> Option<String> {
    let count = view.offered().count();
    if count == 0 {
        return None;
    }
    let mut labels = vec![("present", "true".to_owned()), ("count", count.to_string())];
    for (name, generation) in [("cassini-1", Generation::Cassini1), ("cassini-2", Generation::Cassini2)] {
        if view.offered().any(|nic| nic.generation == Some(generation)) {
            labels.push((name, "true".to_owned()));
        }
    }
    let revisions: BTreeSet<_> = view.offered().map(|nic| nic.driver_revision.as_deref()).collect();
    if let (1, Some(Some(revision))) = (revisions.len(), revisions.first())
        && is_label_value(revision)
    {
        labels.push(("driver-revision", (*revision).to_owned()));
    }
    let lines = labels
        .into_iter()
        .map(|(name, value)| format!("{PREFIX}{name}={value}\n"));
    Some(lines.collect())
}

/// By the rules of Kubernetes. NFD drops all labels of a node when one is wrong.
fn is_label_value(text: &str) -> bool {
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= VALUE_LIMIT
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && ends_well(text.chars().next())
        && ends_well(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_label_values_are_label_values() {
        let (longest, long) = ("a".repeat(63), "a".repeat(64));
        for good in ["a", "1.2-3_4", &longest] {
            assert!(is_label_value(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "a\nb", "ä", &long] {
            assert!(!is_label_value(bad), "{bad:?}");
        }
    }
}
