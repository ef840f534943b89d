//! What a node does to the daemon: limits that are reached, a sysfs that goes, a read that never ends. Each time the
//! daemon lives, says so once, and recovers by itself; nothing is taken from anybody.
#![cfg(test)]

mod common;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;

use common::daemon::{Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, until, wait_for};
use common::skip::{Need, skip};
use common::{mounts, network};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const A: &str = "0000:21:00.0";
const B: &str = "0000:61:00.0";

fn two_nics() -> DaemonFixture {
    DaemonFixture::new(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini1)])
}

/// Whether every list that kubelet has got called this NIC healthy.
fn was_always_healthy(kubelet: &Kubelet, id: &str) -> bool {
    let healthy = format!(r#"{{"id":"{id}","health":"Healthy""#);
    let transcript = kubelet.transcript();
    let mut lists = transcript.iter().filter(|line| line.text.contains("\"list\""));
    lists.all(|line| line.text.contains(&healthy))
}

/// How many threads and open files the daemon has.
fn threads(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().count()
}

fn open_files(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[tokio::test]
async fn without_inotify_the_slow_poll_finds_what_changes() {
    let host = two_nics();
    // The limit is that of a user namespace, so that only this daemon meets it.
    let limit = "/proc/sys/user/max_inotify_instances";
    let inside = ["--user", "--map-root-user"];
    let probe = Command::new("unshare")
        .args(inside)
        .args(["test", "-w", limit])
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip(
            Need::Namespaces,
            "no user namespace with limits of its own (unshare --user)",
        );
    }
    let script = format!("echo 0 > {limit}; exec \"$@\"");
    let wrapper = ["unshare", inside[0], inside[1], "sh", "-c", &script, "sh"];
    let (daemon, kubelet) = (host.start_in(&wrapper, &["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    daemon.wait_until_settled();
    host.node.unbind(A).unwrap();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    daemon.wait_until_settled();
    fs::remove_file(host.spec_file()).unwrap();
    host.wait_for_spec(|spec| spec.contains(B));
    for output in ["no changes of files (inotify): ", "cannot watch"] {
        assert_eq!(daemon.log().matches(output).count(), 1, "{output}: {}", daemon.log());
    }

    let raise = [
        "--user",
        "--preserve-credentials",
        "sh",
        "-c",
        &format!("echo 16 > {limit}"),
    ]
    .map(str::to_owned);
    let target = daemon.pid().to_string();
    let raised = Command::new("nsenter").args(["--target", &target]).args(raise).status();
    assert!(raised.unwrap().success());
    daemon.wait_for_log("changes of files (inotify) are heard again");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn without_file_descriptors_all_stays_as_it_was() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        return skip(Need::Program, "prlimit");
    }
    let host = two_nics();
    let (mut daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let limit = |daemon: &Daemon, files: usize| {
        let pid = daemon.pid().to_string();
        let limit = format!("--nofile={files}:");
        let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(status.unwrap().success());
    };
    // Whatever is open stays so; nothing more can be opened.
    limit(&daemon, 3);
    host.node.link(A, false).unwrap();
    // By a scan: other things that want a file may say so first.
    daemon.wait_for_log("cannot look for NICs");
    fs::remove_file(host.spec_file()).unwrap();
    daemon.hang_up();
    daemon.wait_for_log("trigger: SIGHUP");
    assert!(daemon.is_running());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    limit(&daemon, 1024);
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    host.wait_for_spec(|spec| spec.contains(A));
    daemon.wait_for_log("the node can be looked at again");
    assert_eq!(
        daemon.log().matches("cannot look for NICs").count(),
        1,
        "{}",
        daemon.log()
    );
    assert_no_violations(&kubelet);
    assert!(open_files(&daemon) < 64, "{}", open_files(&daemon));
}

#[tokio::test]
async fn a_sysfs_that_goes_and_comes_back_takes_nothing_away() {
    let host = two_nics();
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let (sys, aside) = (host.node.root().join("sys"), host.path("aside"));
    fs::rename(&sys, &aside).unwrap();
    daemon.wait_for_log("cannot look for NICs, so all stays as it was");
    fs::rename(&aside, &sys).unwrap();
    daemon.wait_for_log("the node can be looked at again");
    assert!(was_always_healthy(&kubelet, A) && was_always_healthy(&kubelet, B));
    host.node.link(A, false).unwrap();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    assert_no_violations(&kubelet);
}

/// A file system of which nobody answers for: whoever looks at something in it waits until it goes.
struct Hang {
    place: PathBuf,
    device: File,
}

impl Hang {
    /// In a mount namespace of this thread and what it starts; none where that is not allowed.
    fn possible() -> bool {
        mounts::enter().is_ok() && Self::device().is_ok()
    }

    fn device() -> std::io::Result<File> {
        File::options().read(true).write(true).open("/dev/fuse")
    }

    fn at(place: PathBuf) -> Self {
        let device = Self::device().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        mount(
            Some("hang"),
            &place,
            Some("fuse"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .unwrap();
        Self { place, device }
    }

    /// Those who wait get an error; whoever comes later finds what was there before.
    fn end(self) {
        umount2(&self.place, MntFlags::MNT_DETACH).unwrap();
        drop(self.device);
    }
}

#[tokio::test]
async fn a_nic_whose_attributes_hang_stays_as_it_was_and_harms_no_other() {
    let test = "a_nic_whose_attributes_hang_stays_as_it_was_and_harms_no_other";
    if !network::is_own(test) {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "no mount namespace, or /dev/fuse cannot be opened");
    }
    let host = two_nics();
    let (mut daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let of_a = host.node.root().join("sys/bus/pci/devices").join(A).join("properties");
    let hang = Hang::at(of_a.canonicalize().unwrap());
    for round in 0..4 {
        host.node.link(B, round % 2 == 1).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, true), (B, round % 2 == 1)]).await;
        let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
        assert_eq!(answer.container_responses[0].devices[0].host_path, "/dev/cxi0");
    }
    let log = daemon.log();
    assert_eq!(log.matches("reading it hangs").count(), 1, "{log}");
    // The loop's own, one that hangs, and those that wait for work to come.
    assert!(threads(&daemon) <= 6, "{} threads", threads(&daemon));
    assert!(was_always_healthy(&kubelet, A));
    hang.end();
    daemon.wait_for_log("it answers again");
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    assert!(daemon.is_running());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_node_that_hangs_as_a_whole_stops_no_service_and_piles_up_no_threads() {
    let test = "a_node_that_hangs_as_a_whole_stops_no_service_and_piles_up_no_threads";
    if !network::is_own(test) {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "no mount namespace, or /dev/fuse cannot be opened");
    }
    let host = two_nics();
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let hang = Hang::at(host.node.root().join("opt/cray/lib64"));
    daemon.hang_up();
    daemon.wait_for_log("cannot look for NICs, so all stays as it was: the node: a look at it hangs");
    for _ in 0..20 {
        let before = daemon.log().matches("looking at the node").count();
        daemon.hang_up();
        until(
            || daemon.log().matches("looking at the node").count() > before,
            || daemon.log(),
        );
    }
    assert!(threads(&daemon) <= 6, "{} threads", threads(&daemon));
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert_eq!(answer.container_responses[0].devices[0].host_path, "/dev/cxi0");
    let mut kubelet = kubelet;
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.open_streams(RESOURCE) == 1)
            .await
    );
    hang.end();
    daemon.wait_for_log("the node can be looked at again");
    assert_no_violations(&kubelet);
}
