//! Kubelet restarts a hundred times at random moments, and the daemon is killed in between: it is registered again each
//! time, once, and nothing is left behind.
//!
//! `CXI_RANDOM_SEED` repeats a run, `CXI_RANDOM_RESTARTS` says how many restarts there are.
#![cfg(test)]

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::daemon::{A, B, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, until, wait_for};
use common::{say, setting};
use cxi_device_plugin::host::files::unix_socket::Call;
use cxi_device_plugin::kubelet::directory::{Found, KubeletDir};
use cxi_device_plugin::kubelet::registration::register;
use cxi_device_plugin::model::alloc::resource::ResourceName;
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};
use fastrand::Rng;
use tokio::net::UnixStream;

/// Random timing is what is tested here; nothing waits for this to be long enough.
async fn moment(rng: &mut Rng) {
    tokio::time::sleep(Duration::from_micros(rng.u64(0..20_000))).await;
}

fn restart_daemon(host: &DaemonFixture, daemon: &mut Option<Daemon>, gracefully: bool) {
    if let Some(daemon) = daemon.take() {
        if gracefully {
            assert_eq!(daemon.terminate().code(), Some(0));
        } else {
            daemon.kill();
        }
    }
    *daemon = Some(host.start(&[]));
}

async fn disturb(host: &DaemonFixture, daemon: &mut Option<Daemon>, kubelet: &mut Kubelet, rng: &mut Rng) {
    match rng.u8(0..7) {
        0 => kubelet.restart().unwrap(),
        1 => {
            kubelet.shutdown();
            moment(rng).await;
            kubelet.boot().unwrap();
        }
        2 => {
            kubelet.stop();
            moment(rng).await;
            kubelet.boot().unwrap();
        }
        3 => {
            restart_daemon(host, daemon, false);
            moment(rng).await;
            kubelet.restart().unwrap();
        }
        4 => {
            kubelet.stop();
            restart_daemon(host, daemon, rng.bool());
            moment(rng).await;
            kubelet.boot().unwrap();
        }
        // Kubelet lives on and clears nothing away: what the dead daemon left is ours to remove.
        5 => restart_daemon(host, daemon, false),
        _ => {
            kubelet.restart().unwrap();
            moment(rng).await;
            kubelet.restart().unwrap();
        }
    }
}

#[tokio::test]
async fn after_each_of_100_restarts_it_is_registered_once_and_nothing_stale_is_left() {
    let seed = setting("CXI_RANDOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    let rounds: usize = setting("CXI_RANDOM_RESTARTS").unwrap_or(100);
    say(&format!("{rounds} restarts: CXI_RANDOM_SEED={seed} repeats this run"));
    let mut rng = Rng::with_seed(seed);
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)]);
    let (mut daemon, mut kubelet) = (Some(host.start(&[])), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    for round in 0..rounds {
        disturb(&host, &mut daemon, &mut kubelet, &mut rng).await;
        // Kubelet may not have noticed yet that the stream of the daemon before this one is over.
        let prefix = format!("-{}-", daemon.as_ref().unwrap().pid());
        let is_of_this_daemon = |socket: PathBuf| socket.to_string_lossy().contains(&prefix);
        assert!(
            kubelet
                .wait_until(PATIENCE, |kubelet| {
                    kubelet.endpoint(RESOURCE).is_some_and(is_of_this_daemon) && kubelet.open_streams(RESOURCE) == 1
                })
                .await,
            "round {round}: kubelet follows {:?}",
            kubelet.endpoint(RESOURCE)
        );
        wait_for(&kubelet, &[(A, true), (B, true)]).await;
        until(
            || host.plugin_sockets().len() == 1,
            || format!("round {round}: {:?}", host.plugin_sockets()),
        );
        if (round + 1) % 100 == 0 {
            say(&format!("restarts: {} of {rounds}", round + 1));
        }
        if round % 10 == 0 {
            assert_eq!(
                host.command().output().unwrap().status.code(),
                Some(75),
                "a second instance in round {round}"
            );
        }
    }
    assert_no_violations(&kubelet);
    assert_eq!(daemon.take().unwrap().terminate().code(), Some(0));
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
}

#[tokio::test]
async fn a_kubelet_that_started_since_our_call_is_not_told_of_our_socket() {
    let folder = tempfile::tempdir().unwrap();
    let resource: ResourceName = RESOURCE.parse().unwrap();
    let dir = KubeletDir::new(folder.path().to_owned(), resource.clone());
    let mut kubelet = Kubelet::start(folder.path()).unwrap();
    let Ok(Found::Called(_, Call::Taken(stream))) = dir.find().await else {
        panic!("kubelet takes no call");
    };
    kubelet.restart().unwrap();
    let (socket, _listener) = dir.bind(1).await.unwrap().unwrap();
    let stream = UnixStream::from_std(stream).unwrap();
    let refused = register(stream, socket.name(), &resource).await.unwrap_err();
    assert!(refused.contains("kubelet"), "{refused}");
    assert_eq!(kubelet.registrations(RESOURCE), 0);
    assert_no_violations(&kubelet);
}
