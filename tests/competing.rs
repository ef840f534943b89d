//! Two plugins for one resource, as when the Go plugin's DaemonSet was left running: said once, with what to do.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::net::UnixListener;

use common::daemon::{A, Daemon, DaemonFixture, PATIENCE, RESOURCE, nics, wait_for};
use cxi_sim::kubelet::Kubelet;

const SAID: &str = "another plugin serves beta.hpe.com/cxi, too";

fn count(daemon: &Daemon) -> usize {
    daemon.log().matches(SAID).count()
}

/// Kubelet drops us, and we come back.
async fn displace(kubelet: &Kubelet) {
    let before = kubelet.registrations(RESOURCE);
    assert!(kubelet.forget(RESOURCE));
    let again = |kubelet: &Kubelet| kubelet.registrations(RESOURCE) > before;
    assert!(kubelet.wait_until(PATIENCE, again).await);
    wait_for(kubelet, &[(A, true)]).await;
}

#[tokio::test]
async fn the_socket_of_the_go_plugin_is_named_once() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    drop(UnixListener::bind(host.kubelet_dir().join("amd.com_gpu")).unwrap());
    let rival = UnixListener::bind(host.kubelet_dir().join("beta.hpe.com_cxi")).unwrap();
    daemon.wait_for_log("its socket is beta.hpe.com_cxi");
    displace(&kubelet).await;
    assert_eq!(count(&daemon), 1, "{}", daemon.log());
    drop(rival);
}

#[tokio::test]
async fn a_socket_that_nobody_serves_any_more_is_no_rival() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let left = host.kubelet_dir().join("beta.hpe.com_cxi");
    drop(UnixListener::bind(&left).unwrap());
    displace(&kubelet).await;
    assert_eq!(count(&daemon), 0, "{}", daemon.log());
    fs::remove_file(left).unwrap();
}

#[tokio::test]
async fn streams_that_end_again_and_again_are_a_hint_that_is_said_once_and_a_restart_is_none() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, mut kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    for _ in 0..5 {
        kubelet.restart().unwrap();
        wait_for(&kubelet, &[(A, true)]).await;
    }
    assert_eq!(count(&daemon), 0, "{}", daemon.log());
    for _ in 0..6 {
        displace(&kubelet).await;
    }
    assert_eq!(count(&daemon), 0, "no proof: {}", daemon.log());
    let hint =
        "WARN not registered: kubelet ended the ListAndWatch stream, again and again: does another plugin register";
    daemon.wait_for_log(hint);
    assert_eq!(daemon.log().matches(hint).count(), 1, "{}", daemon.log());
}
