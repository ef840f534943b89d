//! What a node does to the daemon: limits that are reached, a sysfs that goes, a read that never ends. Each time the
//! daemon lives, says so once, and recovers by itself; nothing is taken from anybody.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use common::daemon::{C, D, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::hang::Hang;
use common::skip::{Need, skip};
use common::{mounts, network};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec};

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

/// The runtime's own thread, and one for each kind of what may hang.
const THREADS: usize = 16;

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
        daemon.wait_for_log(output);
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

#[tokio::test]
async fn a_nic_whose_attributes_hang_stays_as_it_was_and_harms_no_other() {
    if !can_hang("a_nic_whose_attributes_hang_stays_as_it_was_and_harms_no_other") {
        return;
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
        assert_eq!(answer.container_responses[0].devices[0].container_path, "/dev/cxi0");
    }
    let log = daemon.log();
    assert_eq!(log.matches("it stays as it was until it answers").count(), 1, "{log}");
    let shown = "warning: readable: reading it hangs; the other values are those of the last look that ended (";
    assert_eq!(log.matches(shown).count(), 1, "{log}");
    assert!(threads(&daemon) <= THREADS + 1, "{} threads", threads(&daemon));
    assert!(was_always_healthy(&kubelet, A));
    hang.end();
    daemon.wait_for_log("it answers again");
    daemon.wait_for_log("no warning any more: readable: it answers");
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    assert!(daemon.is_running());
    assert_no_violations(&kubelet);
}

/// An admin's order must not wait for what he gives it for.
#[tokio::test]
async fn a_nic_is_cordoned_by_its_address_while_all_of_sysfs_hangs() {
    if !can_hang("a_nic_is_cordoned_by_its_address_while_all_of_sysfs_hangs") {
        return;
    }
    let host = two_nics();
    fs::create_dir(host.path("run")).unwrap();
    let hang = Hang::at(host.node.root().join("sys"));
    let command = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        command.args(args).arg("--run-dir").arg(host.path("run"));
        let output = command.arg("--root").arg(host.node.root()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = command(&["cordon", B]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(&format!("cordoned {B}: sysfs does not say whether it is there")),
        "{said}"
    );
    assert!(host.path("run/cordoned").join(B).exists());
    assert_eq!(command(&["uncordon", B]), (Some(0), format!("uncordoned {B}\n")));
    assert_eq!(command(&["uncordon", B]), (Some(0), format!("{B} is not cordoned\n")));
    hang.end();
}

#[tokio::test]
async fn a_node_that_hangs_as_a_whole_stops_no_service_and_piles_up_no_threads() {
    if !can_hang("a_node_that_hangs_as_a_whole_stops_no_service_and_piles_up_no_threads") {
        return;
    }
    let host = two_nics();
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let hang = Hang::at(host.node.root().join("sys/bus/pci/devices"));
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
    assert!(threads(&daemon) <= THREADS, "{} threads", threads(&daemon));
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert_eq!(answer.container_responses[0].devices[0].container_path, "/dev/cxi0");
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

/// The test's own namespaces for file systems that hang; else it is over.
fn can_hang(test: &str) -> bool {
    if !network::is_own(test) {
        return false;
    }
    if mounts::enter().is_err() || !Hang::possible() {
        skip(Need::Fuse, "no mount namespace, or /dev/fuse cannot be opened");
        return false;
    }
    true
}

fn properties(host: &DaemonFixture, nic: &str) -> Hang {
    let properties = host
        .node
        .root()
        .join("sys/bus/pci/devices")
        .join(nic)
        .join("properties");
    Hang::at(properties.canonicalize().unwrap())
}

#[tokio::test]
async fn nics_that_hang_from_the_start_are_waited_for_together_and_shown() {
    if !can_hang("nics_that_hang_from_the_start_are_waited_for_together_and_shown") {
        return;
    }
    let host = DaemonFixture::new(&nics(8));
    let all: Vec<String> = host.node.nics().unwrap().into_iter().map(|nic| nic.pci).collect();
    let (bad, good) = all.split_at(5);
    let hangs: Vec<_> = bad.iter().map(|nic| properties(&host, nic)).collect();
    let daemon = host.start(&["--pulse", "0"]);
    let kubelet = host.kubelet();
    let expected: Vec<(&str, bool)> = all.iter().map(|nic| (nic.as_str(), good.contains(nic))).collect();
    wait_for(&kubelet, &expected).await;
    // One look has found all five: had each been waited for alone, there would have been five.
    let log = daemon.log();
    let first = log.split("looked at the node in").next().unwrap_or_default();
    assert_eq!(first.matches("it stays as it was until it answers").count(), 5, "{log}");
    assert_eq!(first.matches("looking at the node").count(), 1, "{log}");
    assert!(threads(&daemon) <= THREADS + 5 + 1, "{} threads", threads(&daemon));

    // Those who look by themselves do not hang either, and say so.
    for command in [vec!["devices"], vec!["explain", all[0].as_str()]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        program.args(&command).arg("--root").arg(host.node.root());
        let output = program.arg("--run-dir").arg(host.path("run")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&all[0]) && text.contains("hangs"), "{command:?}: {text}");
    }
    hangs.into_iter().for_each(Hang::end);
    let expected: Vec<(&str, bool)> = all.iter().map(|nic| (nic.as_str(), true)).collect();
    wait_for(&kubelet, &expected).await;
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn what_hangs_beside_the_nics_keeps_no_news_of_them_from_kubelet() {
    if !can_hang("what_hangs_beside_the_nics_keeps_no_news_of_them_from_kubelet") {
        return;
    }
    let places: [fn(&DaemonFixture) -> std::path::PathBuf; 3] = [
        |host| host.node.root().join("opt/cray/lib64"),
        |host| host.path("cdi"),
        |host| host.path("run/cordoned"),
    ];
    for place in places {
        let host = DaemonFixture::new(&nics(4));
        let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
        wait_for(&kubelet, &[(A, true), (B, true), (C, true), (D, true)]).await;
        daemon.wait_until_settled();
        let hang = Hang::at(place(&host));
        host.node.link(A, false).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, false), (B, true), (C, true), (D, true)]).await;
        host.node.remove(B).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, false), (C, true), (D, true)]).await;
        let answer = kubelet.allocate(RESOURCE, vec![vec![C.to_owned()]]).await.unwrap();
        assert!(
            !answer.container_responses[0].mounts.is_empty(),
            "the last known libraries serve"
        );
        daemon.wait_for_log("hang");
        hang.end();
        host.node.link(A, true).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, true), (C, true), (D, true)]).await;
        host.wait_for_spec(|spec| !spec.contains(B) && spec.contains(C));
        assert_no_violations(&kubelet);
    }
}

#[tokio::test]
async fn libraries_that_hang_from_the_start_come_when_they_answer() {
    if !can_hang("libraries_that_hang_from_the_start_come_when_they_answer") {
        return;
    }
    let host = two_nics();
    let hang = Hang::at(host.node.root().join("opt/cray/lib64"));
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert!(!host.spec().contains("libfabric"), "{}", host.spec());
    daemon.wait_for_log("the host's libraries: a look at them hangs");
    hang.end();
    host.wait_for_spec(|spec| spec.contains("libfabric.so.1"));
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert!(!answer.container_responses[0].mounts.is_empty());
    assert_no_violations(&kubelet);
}

/// Everything below becomes `nobody`'s: root has as many processes as it likes.
fn give_away(folder: &Path) {
    let status = Command::new("chown").args(["-hR", "65534:65534"]).arg(folder).status();
    assert!(status.unwrap().success());
    chown(folder, Some(65_534), Some(65_534)).unwrap();
}

#[tokio::test]
async fn without_a_free_process_id_all_goes_on() {
    for (program, argument) in [("prlimit", "--version"), ("setpriv", "--version")] {
        if Command::new(program).arg(argument).output().is_err() {
            return skip(Need::Program, program);
        }
    }
    let host = two_nics();
    let folder = host.path("").canonicalize().unwrap();
    // A copy, since the folders above the built one may be closed to others.
    let program = host.path("cxi-device-plugin");
    fs::copy(env!("CARGO_BIN_EXE_cxi-device-plugin"), &program).unwrap();
    let mut kubelet = host.kubelet();
    let mut wrapper = vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if nix::unistd::geteuid().is_root() {
        give_away(&folder);
    } else {
        wrapper.clear();
    }
    let daemon = host.command();
    let mut command = Command::new(wrapper.first().copied().unwrap_or("env"));
    command
        .args(wrapper.iter().skip(1))
        .arg(&program)
        .args(daemon.get_args())
        // A pool lets go of threads that had nothing to do for ten seconds; so a look that nobody asks for comes later.
        .args(["--pulse", "12"]);
    let mut daemon = host.spawn(command);
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    daemon.wait_until_settled();
    let pid = daemon.pid().to_string();
    // By the same user: whoever has no right over all processes limits those of his own.
    let mut limiting = Command::new(wrapper.first().copied().unwrap_or("env"));
    limiting
        .args(wrapper.iter().skip(1))
        .args(["prlimit", "--nproc=1:", "--pid", &pid]);
    assert!(limiting.status().unwrap().success());
    let polls = || daemon.log().matches("trigger: slow poll").count();
    let before = polls();
    until(|| polls() > before, || daemon.log());
    daemon.wait_until_settled();

    // Whatever needs a thread: a look, a file, a reload, a new kubelet, a NIC whose texts are read, the end.
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    fs::remove_file(host.spec_file()).unwrap();
    host.wait_for_spec(|spec| spec.contains(B));
    host.node.rebind(B).unwrap();
    daemon.hang_up();
    kubelet.restart().unwrap();
    if nix::unistd::geteuid().is_root() {
        give_away(&host.kubelet_dir());
    }
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    host.node.link(A, true).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert!(daemon.is_running(), "{}", daemon.log());
    assert_no_violations(&kubelet);
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_kubelet_directory_that_hangs_stops_neither_allocate_nor_the_end() {
    if !can_hang("a_kubelet_directory_that_hangs_stops_neither_allocate_nor_the_end") {
        return;
    }
    let host = two_nics();
    let (daemon, kubelet) = (host.start(&["--pulse", "0"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let hang = Hang::at(host.kubelet_dir());
    for round in 0..4 {
        // Each look at the node has the session look at kubelet's directory.
        host.node.link(B, round % 2 == 1).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, true), (B, round % 2 == 1)]).await;
        let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
        assert_eq!(answer.container_responses[0].devices[0].container_path, "/dev/cxi0");
    }
    daemon.wait_for_log("does not answer");
    assert_eq!(kubelet.registrations(RESOURCE), 1, "{}", daemon.log());
    assert!(threads(&daemon) <= THREADS, "{} threads", threads(&daemon));
    assert_eq!(daemon.terminate().code(), Some(0));
    hang.end();
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_kubelet_directory_that_hangs_at_the_start_is_said_and_used_when_it_answers() {
    if !can_hang("a_kubelet_directory_that_hangs_at_the_start_is_said_and_used_when_it_answers") {
        return;
    }
    let host = two_nics();
    let kubelet = host.kubelet();
    let hang = Hang::at(host.kubelet_dir());
    let daemon = host.start(&[]);
    daemon.wait_for_log("WARN not registered: kubelet's directory");
    host.wait_for_spec(|spec| spec.contains(A));
    daemon.look();
    hang.end();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert_eq!(
        daemon.log().matches("WARN not registered").count(),
        1,
        "{}",
        daemon.log()
    );
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_cdi_directory_that_hangs_keeps_nobody_waiting() {
    if !can_hang("a_cdi_directory_that_hangs_keeps_nobody_waiting") {
        return;
    }
    let host = two_nics();
    let ear = UnixDatagram::bind(host.path("notify")).unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = host.command();
    command.args(["--pulse", "0", "--enable-cdi"]);
    command
        .env("NOTIFY_SOCKET", host.path("notify"))
        .env("WATCHDOG_USEC", "500000");
    let (daemon, kubelet) = (host.spawn(command), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    daemon.wait_for_log("card: ");
    daemon.wait_until_settled();
    let hang = Hang::at(host.path("cdi"));
    daemon.wait_for_log("cannot see where the watched directories are");
    // Many ticks later, each of which would look there.
    let mut told = [0; 512];
    for _ in 0..12 {
        ear.recv(&mut told).unwrap();
    }
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert!(threads(&daemon) <= THREADS, "{} threads", threads(&daemon));
    // Whoever meets it first says so, and nobody says it twice.
    assert!(
        daemon.log().matches("WARN cannot see where").count() <= 1,
        "{}",
        daemon.log()
    );
    daemon.wait_for_log("hangs");
    hang.end();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_no_violations(&kubelet);
}
