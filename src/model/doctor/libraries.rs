//! libfabric and libcxi of the host, and what they need.

use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::reading::ReadError;

const SONAMES: [&str; 2] = ["libfabric.so.1", "libcxi.so.1"];

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    // Without NICs nobody needs them.
    if facts
        .inventory
        .as_ref()
        .is_ok_and(|inventory| inventory.nics.is_empty())
    {
        return;
    }
    let libraries = &facts.libraries;
    let is_there = |soname: &str| libraries.listed.iter().any(|library| library.soname == soname);
    for problem in &libraries.problems {
        let soname = SONAMES.into_iter().find(|soname| problem.path.as_os_str() == *soname);
        match soname {
            // Found, though not where it is looked for first.
            Some(soname) if is_there(soname) => {}
            Some(soname) => examination.found(
                (FindingId::LibraryMissing, Level::Warning),
                soname,
                &problem.reason,
                Vec::new(),
                "install it, or say where it is: --ofi-root, --cxi-root; images that bring their own need none (--libraries none)",
            ),
            None => unusable(problem, examination),
        }
    }
    for problem in &libraries.missing_needs {
        examination.found(
            (FindingId::LibraryNeedMissing, Level::Warning),
            problem.path.display(),
            &problem.reason,
            Vec::new(),
            "install what has it, then: ldconfig",
        );
    }
}

fn unusable(problem: &ReadError, examination: &mut Examination) {
    examination.found(
        (FindingId::LibraryUnusable, Level::Warning),
        problem.path.display(),
        "stands where a library of libfabric or libcxi should be, and cannot be one",
        vec![Evidence::new(&problem.path, &problem.reason)],
        "install its package again, or remove it",
    );
}
