//! In a sandbox like the unit's, where all is read-only but some directories: what is made after the start is out of reach,
//! and exit code 75 asks systemd for another sandbox. `tests/e2e/systemd` has systemd answer.
#![cfg(test)]

mod common;

use std::fs;

use common::daemon::{A, Daemon, DaemonFixture, nics, until, wait_for};
use common::network;

/// Takes root, or that of a user namespace. Everything below the host's folder is read-only for the daemon but its run directory,
/// the host's `/dev`, which systemd leaves as it is, and, where they are now, these.
fn start_in_sandbox(host: &DaemonFixture, writable: &[&str]) -> Daemon {
    fs::create_dir_all(host.path("run")).unwrap();
    let mut script = format!("set -e; d={}; mount --bind $d $d; ", host.path("").display());
    for folder in ["run", "node/dev"].iter().chain(writable) {
        script += &format!("mount --bind $d/{folder} $d/{folder}; ");
    }
    script += "mount -o remount,bind,ro $d; exec \"$@\"";
    let wrapper = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        &script,
        "sh",
    ];
    host.start_in(&wrapper, &[])
}

#[tokio::test]
async fn a_kubelet_directory_that_is_made_later_ends_with_75() {
    if !network::is_own("a_kubelet_directory_that_is_made_later_ends_with_75") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.path("cdi")).unwrap();
    let mut daemon = start_in_sandbox(&host, &["cdi"]);
    daemon.wait_for_log("waiting for kubelet.sock");
    let _kubelet = host.kubelet();
    assert_eq!(daemon.wait().code(), Some(75));
    assert!(
        daemon.log().contains("was made or replaced after the start"),
        "{}",
        daemon.log()
    );
}

#[tokio::test]
async fn a_kubelet_directory_that_is_there_at_the_next_start_is_used() {
    if !network::is_own("a_kubelet_directory_that_is_there_at_the_next_start_is_used") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.path("cdi")).unwrap();
    let kubelet = host.kubelet();
    let _daemon = start_in_sandbox(&host, &["cdi", "kubelet"]);
    wait_for(&kubelet, &[(A, true)]).await;
}

#[tokio::test]
async fn one_that_is_read_only_from_the_start_is_said_and_nothing_ends() {
    if !network::is_own("one_that_is_read_only_from_the_start_is_said_and_nothing_ends") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.path("cdi")).unwrap();
    let _kubelet = host.kubelet();
    let mut daemon = start_in_sandbox(&host, &["cdi"]);
    let tries = |log: &str| log.matches("not registered: cannot bind").count();
    until(|| tries(&daemon.log()) > 2, || daemon.log());
    assert!(daemon.is_running());
    assert_eq!(
        daemon.log().matches("WARN not registered").count(),
        1,
        "{}",
        daemon.log()
    );
}

#[test]
fn a_cdi_directory_that_is_replaced_ends_with_75() {
    if !network::is_own("a_cdi_directory_that_is_replaced_ends_with_75") {
        return;
    }
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.path("cdi")).unwrap();
    let mut daemon = start_in_sandbox(&host, &["cdi"]);
    until(|| host.spec().contains(A), || host.spec());
    daemon.wait_until_settled();
    fs::remove_dir_all(host.path("cdi")).unwrap();
    daemon.hang_up();
    assert_eq!(daemon.wait().code(), Some(75));
}

#[tokio::test]
async fn a_directory_that_is_read_only_from_the_start_is_said_with_the_drop_in_that_is_missing() {
    if !network::is_own("a_directory_that_is_read_only_from_the_start_is_said_with_the_drop_in_that_is_missing") {
        return;
    }
    for (folder, writable) in [("cdi", "kubelet"), ("kubelet", "cdi")] {
        let host = DaemonFixture::new(&nics(1));
        for folder in ["cdi", "kubelet"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        let _kubelet = host.kubelet();
        let daemon = start_in_sandbox(&host, &[writable]);
        daemon.wait_for_log(&format!("ReadWritePaths=-{}", host.path(folder).display()));
        let log = daemon.log();
        assert!(log.contains("systemctl edit cxi-device-plugin"), "{log}");
        assert!(
            !log.contains(&format!("ReadWritePaths=-{}", host.path(writable).display())),
            "{log}"
        );
    }
}
