//! Every scenario of tests/scenarios with the real daemon on a tree of files. The same files run in the guest of tests/vm.
#![cfg(test)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use cxi_sim::kubelet::Scenario;
use cxi_sim::scenario::{ScenarioSetup, Trigger};

#[tokio::test]
async fn each_scenario_holds_for_the_daemon_and_gives_the_same_transcript_twice() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut ran = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let scenario = Scenario::from_file(&file).unwrap();
        let transcripts = [run(&file, &scenario).await, run(&file, &scenario).await];
        assert_eq!(transcripts[0], transcripts[1], "{}", file.display());
        ran += 1;
    }
    assert!(ran >= 12, "only {ran} scenarios");
}

/// What kubelet saw in one run, which must hold.
async fn run(file: &Path, scenario: &Scenario) -> Vec<String> {
    let (folder, mut node) = common::node(&[]);
    let fixture = ScenarioSetup {
        program: PathBuf::from(env!("CARGO_BIN_EXE_cxi-device-plugin")),
        folder: folder.path().to_owned(),
        trigger: Trigger::HangUp,
        kubelet: None,
        is_for_runtime: false,
    };
    let outcome = fixture.run(scenario, &mut node).await;
    assert!(
        outcome.failures.is_empty(),
        "{}: {:?}\n{}",
        file.display(),
        outcome.failures,
        fs::read_to_string(folder.path().join("daemon.log")).unwrap_or_default()
    );
    outcome.settled
}
