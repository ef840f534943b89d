//! libfabric and libcxi of the host, and what they need.

use super::facts::NodeFacts;
use super::finding::{Evidence, Examination, FindingId, Level};
use crate::model::libs::choice::LibraryChoice;
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
    for problem in &libraries.problems {
        let soname = SONAMES.into_iter().find(|soname| problem.path.as_os_str() == *soname);
        match soname {
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
    for restricted in &libraries.restricted {
        examination.found(
            (FindingId::LibraryNotReadable, Level::Warning),
            restricted.path.display(),
            "programs of other users in containers cannot load it",
            vec![Evidence::new(&restricted.path, &restricted.reason)],
            format!("chmod a+rX '{}'", restricted.path.display()),
        );
    }
    libraries
        .choices
        .iter()
        .for_each(|choice| passed_over(choice, examination));
}

/// Nothing is wrong with it; but who expects another release sees here why it is not that one.
fn passed_over(choice: &LibraryChoice, examination: &mut Examination) {
    if choice.passed_over.is_empty() {
        return;
    }
    let evidence = choice.passed_over.iter();
    examination.found(
        (FindingId::LibraryPassedOver, Level::Note),
        choice.soname,
        format!("taken from {}: {}", choice.directory.display(), choice.because.of_taken()),
        evidence.map(|other| Evidence::new(&other.directory, &other.reason)).collect(),
        "if another one is right, name its directory: --ofi-root, --cxi-root; or point /opt/cray/libfabric/default at the release",
    );
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
