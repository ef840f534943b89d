//! A log that nobody takes any more, as when the journal restarts: no reason to take the NICs from anybody.
#![cfg(test)]

mod common;

use std::process::Stdio;

use common::daemon::{A, DaemonFixture, assert_no_violations, wait_for};
use cxi_sim::node::{Kind, NicSpec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[tokio::test]
async fn the_daemon_goes_on_without_its_log() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1)]);
    let mut child = host.command().stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let mut kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    host.node.link(A, false).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, false)]).await;
    assert_no_violations(&kubelet);
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
