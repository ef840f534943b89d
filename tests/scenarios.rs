//! Every scenario of tests/scenarios with the real daemon: the files that a rig with a real kubelet will run, too.
#![cfg(test)]

mod common;

use std::fs;
use std::path::Path;

use common::daemon::Host;
use cxi_sim::kubelet::Scenario;
use cxi_sim::node::{Kind, NicSpec};

#[tokio::test]
async fn each_scenario_holds_for_the_daemon_and_gives_the_same_transcript_twice() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut ran = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let scenario = Scenario::from_file(&file).unwrap();
        let mut transcripts = Vec::new();
        for _ in 0..2 {
            let host = Host::new(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini1)]);
            let daemon = host.start(&[]);
            let outcome = scenario.run(&host.kubelet_dir()).await;
            assert!(
                outcome.failures.is_empty(),
                "{}: {:?}\n{}",
                file.display(),
                outcome.failures,
                daemon.log()
            );
            let core = outcome
                .transcript
                .into_iter()
                .filter(|line| line.core)
                .map(|line| line.text);
            transcripts.push(core.collect::<Vec<_>>());
        }
        assert_eq!(transcripts[0], transcripts[1], "{}", file.display());
        ran += 1;
    }
    assert!(ran >= 3, "only {ran} scenarios");
}
