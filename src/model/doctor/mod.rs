//! What is wrong with a whole node, and what to type. Pure: the same facts give the same findings.

mod cdi;
pub mod containerd;
mod driver;
pub mod facts;
pub mod finding;
mod libraries;
pub mod limits;
mod network;
mod nics;
mod pods;
pub mod process;
pub mod redact;
mod runtime;
mod services;
mod spec_dirs;
mod strategy;

use self::facts::NodeFacts;
use self::finding::Examination;

/// Applies all rules.
pub fn examine(facts: &NodeFacts) -> Examination {
    let mut examination = Examination::default();
    let rules = [
        driver::examine,
        nics::examine,
        network::examine,
        libraries::examine,
        cdi::examine,
        runtime::examine,
        strategy::examine,
        services::examine,
        pods::examine,
    ];
    for rule in rules {
        rule(facts, &mut examination);
    }
    examination.findings.sort_by_key(|finding| finding.level);
    examination
}
