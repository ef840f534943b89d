//! A node that cannot be looked at: that says nothing of its NICs, so nothing is taken from anybody.
#![cfg(test)]

mod common;

use std::fs;

use common::Generator;
use common::daemon::{A, B, DaemonFixture, RESOURCE, assert_no_violations, wait_for};
use cxi_sim::node::{Kind, NicSpec};

#[tokio::test]
async fn the_daemon_keeps_what_it_knew_and_recovers() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let (mut daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let (functions, aside) = (host.node.root().join("sys/bus/pci/devices"), host.path("aside"));
    let before = host.spec();

    fs::rename(&functions, &aside).unwrap();
    daemon.hang_up();
    daemon.wait_for_log("cannot look for NICs, so all stays as it was");
    assert!(daemon.is_running());
    assert_eq!(host.spec(), before);
    wait_for(&kubelet, &[(A, true)]).await;

    fs::rename(&aside, &functions).unwrap();
    host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_daemon_starts_without_touching_what_is_there_and_tells_kubelet_of_nothing() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let written = Generator::below(host.node.root()).write_to(&host.path("cdi"));
    assert_eq!(written.code, 0, "{written:?}");
    let before = host.spec();
    fs::remove_dir_all(host.node.root().join("sys")).unwrap();
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    daemon.wait_for_log("not registered: no look at the node has succeeded yet");
    assert_eq!(kubelet.registrations(RESOURCE), 0);
    assert_eq!(host.spec(), before);
}

#[test]
fn the_generator_says_so_and_keeps_the_spec() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let generate = || Generator::below(host.node.root()).write_to(&host.path("cdi"));
    assert_eq!(generate().code, 0);
    let before = common::listing(&host.path("cdi"));
    fs::remove_dir_all(host.node.root().join("sys")).unwrap();
    let output = generate();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output
            .stderr
            .contains("cannot look for NICs, so all stays as it was: /sys/bus/pci/devices"),
        "{output:?}"
    );
    assert_eq!(common::listing(&host.path("cdi")), before);
}
