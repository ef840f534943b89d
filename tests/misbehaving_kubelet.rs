//! A kubelet that is slow, dying, starting, or touched by others, and others on its socket and ours: kubelet hears the truth,
//! once, and nothing waits that need not.
#![cfg(test)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Instant;

use common::daemon::{A, B, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::raw_kubelet::{Manner, RawKubelet, be_foreign, begun, foreign, plugin, runtime, watch};
use cxi_device_plugin::model::alloc::resource::ResourceName;
use cxi_sim::kubelet::{Kubelet, pb};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use std::os::fd::{AsRawFd, OwnedFd};

const RIVAL: &str = "another plugin serves beta.hpe.com/cxi, too";

/// A socket whose queue of callers is full, with the callers.
fn full(path: &Path) -> (UnixListener, Vec<OwnedFd>) {
    let stream = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let address = UnixAddr::new(path).unwrap();
    let listener = stream(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let mut callers = Vec::new();
    loop {
        let caller = stream(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        if connect(caller.as_raw_fd(), &address).is_err() {
            return (listener.into(), callers);
        }
        callers.push(caller);
    }
}

fn own_socket(host: &DaemonFixture) -> PathBuf {
    let sockets = host.plugin_sockets();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    host.kubelet_dir().join(&sockets[0])
}

async fn registered(kubelet: &Kubelet, times: usize) {
    let as_often = |kubelet: &Kubelet| kubelet.registrations(RESOURCE) == times;
    assert!(kubelet.wait_until(PATIENCE, as_often).await);
}

fn reason_of(host: &DaemonFixture) -> String {
    fs::read_to_string(host.path("run/status.json")).unwrap_or_default()
}

/// Has the session look at kubelet's directory and waits until it has, by the sign it gives of another plugin.
fn look_at_directory(host: &DaemonFixture, daemon: &Daemon) {
    let rival = UnixListener::bind(host.kubelet_dir().join("beta.hpe.com_cxi")).unwrap();
    daemon.wait_for_log("its socket is beta.hpe.com_cxi");
    drop(rival);
}

#[tokio::test]
async fn kubelet_hears_nothing_before_the_node_could_be_looked_at() {
    let host = DaemonFixture::new(&nics(1));
    let (functions, aside) = (host.node.root().join("sys/bus/pci/devices"), host.path("aside"));
    fs::rename(&functions, &aside).unwrap();
    let (kubelet, daemon) = (host.kubelet(), host.start(&[]));
    const REASON: &str = "no look at the node has succeeded yet";
    daemon.wait_for_log(&format!("not registered: {REASON}"));
    until(|| reason_of(&host).contains(REASON), || reason_of(&host));
    // More looks in vain change nothing.
    daemon.look();
    assert_eq!(kubelet.registrations(RESOURCE), 0);
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
    fs::rename(&aside, &functions).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
    let empty = |line: &cxi_sim::kubelet::Line| line.text.contains(r#""devices":[]"#);
    assert!(!kubelet.transcript().iter().any(empty), "{:?}", kubelet.transcript());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_node_without_nics_that_is_looked_at_late_is_registered() {
    let host = DaemonFixture::new(&[]);
    let (functions, aside) = (host.node.root().join("sys/bus/pci/devices"), host.path("aside"));
    fs::rename(&functions, &aside).unwrap();
    let (kubelet, daemon) = (host.kubelet(), host.start(&[]));
    daemon.wait_for_log("not registered: no look at the node has succeeded yet");
    fs::rename(&aside, &functions).unwrap();
    daemon.hang_up();
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.open_streams(RESOURCE) == 1)
            .await
    );
}

#[tokio::test]
async fn a_socket_beside_kubelets_that_takes_no_callers_stops_nothing() {
    let resource: ResourceName = RESOURCE.parse().unwrap();
    let of_a_predecessor = format!("cxi-{}-1-1.sock", resource.short_hash());
    for name in ["beta.hpe.com_cxi", &of_a_predecessor] {
        let host = DaemonFixture::new(&nics(1));
        let kubelet = host.kubelet();
        let _full = full(&host.kubelet_dir().join(name));
        let daemon = host.start(&[]);
        wait_for(&kubelet, &[(A, true)]).await;
        daemon.look();
        let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
        assert_eq!(answer.container_responses.len(), 1);
        if name.starts_with("beta") {
            daemon.wait_for_log("its socket is beta.hpe.com_cxi");
        }
        assert!(host.kubelet_dir().join(name).exists(), "it is alive");
        assert_eq!(daemon.terminate().code(), Some(0));
    }
}

#[test]
fn a_kubelet_that_takes_no_callers_is_waited_for() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.kubelet_dir()).unwrap();
    let (listener, callers) = full(&host.kubelet_dir().join("kubelet.sock"));
    let daemon = host.start(&[]);
    daemon.wait_for_log("kubelet takes no more callers at the moment");
    daemon.look();
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
    drop(callers);
    let kubelet = RawKubelet::serve(listener, &host.kubelet_dir(), Manner::EndsStreams);
    until(|| kubelet.registrations() > 0, || daemon.log());
    assert!(
        !daemon.log().contains("WARN not registered: cannot"),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn sigterm_ends_it_while_kubelet_takes_no_callers() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.kubelet_dir()).unwrap();
    let _full = full(&host.kubelet_dir().join("kubelet.sock"));
    let daemon = host.start(&[]);
    daemon.wait_for_log("kubelet takes no more callers at the moment");
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn streams_that_end_at_once_are_tried_ever_more_rarely_and_are_no_rival() {
    let host = DaemonFixture::new(&nics(1));
    let kubelet = RawKubelet::start(&host.kubelet_dir(), Manner::EndsStreams);
    let daemon = host.start(&[]);
    until(|| kubelet.registrations() >= 6, || daemon.log());
    let log = daemon.log();
    let waits: Vec<u64> = log
        .lines()
        .filter_map(|line| line.split_once("next try in ")?.1.split_once(" ms")?.0.parse().ok())
        .collect();
    assert!(waits.len() >= 5 && waits.is_sorted(), "{waits:?}");
    assert!(waits[4] >= 8 * waits[0] / 2, "{waits:?}");
    assert!(!log.contains(RIVAL), "{log}");
}

#[tokio::test]
async fn who_touches_kubelets_socket_does_not_end_a_stream_that_lives() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let socket = host.kubelet_dir().join("kubelet.sock");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o700)).unwrap();
    fs::hard_link(&socket, host.kubelet_dir().join("another.sock")).unwrap();
    look_at_directory(&host, &daemon);
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false)]).await;
    assert_eq!(kubelet.registrations(RESOURCE), 1, "{}", daemon.log());
    assert!(!daemon.log().contains("kubelet has been restarted"), "{}", daemon.log());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn after_a_touch_the_end_of_a_stream_is_still_noticed_and_the_order_kept() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    for round in 2..5 {
        let mode = fs::Permissions::from_mode(0o700 + round);
        fs::set_permissions(host.kubelet_dir().join("kubelet.sock"), mode).unwrap();
        assert!(kubelet.forget(RESOURCE));
        registered(&kubelet, round as usize).await;
        wait_for(&kubelet, &[(A, true)]).await;
    }
    assert_no_violations(&kubelet);
}

#[test]
fn another_process_that_watches() {
    be_foreign();
}

/// Other clients that watch: of this process, and another process.
async fn others(socket: &Path) -> (std::process::Child, Vec<tonic::Streaming<pb::ListAndWatchResponse>>) {
    let mut child = foreign("another_process_that_watches", socket);
    let out = BufReader::new(child.stdout.take().unwrap());
    assert!(out.lines().any(|line| line.unwrap().contains("watching")));
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = watch(socket).await;
        stream.message().await.unwrap().unwrap();
        streams.push(stream);
    }
    (child, streams)
}

#[tokio::test]
async fn others_that_watch_do_not_hide_that_kubelets_stream_has_ended() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let (mut child, streams) = others(&own_socket(&host)).await;
    assert!(kubelet.forget(RESOURCE));
    registered(&kubelet, 2).await;
    wait_for(&kubelet, &[(A, true)]).await;
    drop(streams);
    let _ = child.kill();
    child.wait().unwrap();
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false)]).await;
    assert_eq!(kubelet.registrations(RESOURCE), 2, "the others' end is not kubelet's");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_kubelet_that_dies_after_it_has_accepted_makes_the_next_one_wait_for_nothing() {
    let host = DaemonFixture::new(&nics(1));
    let first = RawKubelet::start(&host.kubelet_dir(), Manner::NeverCalls);
    let daemon = host.start(&[]);
    until(|| first.registrations() == 1, || daemon.log());
    drop(first);
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    assert!(
        !daemon.log().contains("opened no ListAndWatch stream"),
        "{}",
        daemon.log()
    );
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_kubelet_that_does_not_listen_yet_costs_no_socket_and_no_warning() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.kubelet_dir()).unwrap();
    drop(UnixListener::bind(host.kubelet_dir().join("kubelet.sock")).unwrap());
    let daemon = host.start(&[]);
    daemon.wait_for_log("nobody listens at kubelet.sock");
    daemon.look();
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    let socket = own_socket(&host);
    assert!(socket.to_string_lossy().ends_with("-1.sock"), "{socket:?}");
    assert!(!daemon.log().contains("WARN not registered"), "{}", daemon.log());
    assert_no_violations(&kubelet);
}

/// A kubelet that was killed leaves its socket behind. That of the next one is seen between bind and listen, of which no event
/// tells.
#[test]
fn a_kubelet_that_begins_to_listen_is_called_soon_however_long_a_dead_one_was_called() {
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.kubelet_dir()).unwrap();
    let kubelet = host.kubelet_dir().join("kubelet.sock");
    drop(UnixListener::bind(&kubelet).unwrap());
    let daemon = host.start(&[]);
    let waits = || -> Vec<u64> {
        let log = daemon.log();
        let number = |rest: &str| rest.split(' ').next()?.parse().ok();
        log.split("next call in ").skip(1).filter_map(number).collect()
    };
    until(|| waits().iter().any(|wait| *wait > 300), || daemon.log());
    let called = waits().len();
    let starting = host.kubelet_dir().join("starting");
    drop(UnixListener::bind(&starting).unwrap());
    fs::rename(&starting, &kubelet).unwrap();
    until(|| waits().iter().skip(called).any(|wait| *wait <= 10), || daemon.log());
}

/// Whether the first device is healthy in each list.
fn is_healthy(list: &pb::ListAndWatchResponse) -> bool {
    list.devices[0].health == "Healthy"
}

const CHANGES: usize = 100;

/// Has the daemon publish so many changes.
fn change(host: &DaemonFixture, daemon: &Daemon, changes: usize) {
    for change in 0..changes {
        let generations = || daemon.log().matches(" cxi0: ").count();
        let before = generations();
        host.node.link(A, change % 2 == 1).unwrap();
        daemon.hang_up();
        until(|| generations() > before, || daemon.log());
    }
}

/// What a client gets that takes one list, then stops (`stall` blocks its thread, or returns at once), and takes the rest
/// after the changes. The last list is the truth.
fn lists_after_stall(is_thread_blocked: bool) -> (usize, f64) {
    let host = DaemonFixture::new(&nics(1));
    let kubelet = RawKubelet::start(&host.kubelet_dir(), Manner::NeverCalls);
    let daemon = host.start(&[]);
    until(|| kubelet.registrations() == 1, || daemon.log());
    let socket = own_socket(&host);
    let (tell, told) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let client = std::thread::spawn(move || {
        runtime().block_on(async {
            let mut lists = watch(&socket).await;
            assert!(is_healthy(&lists.message().await.unwrap().unwrap()));
            tell.send(()).unwrap();
            if is_thread_blocked {
                may_go_on.recv().unwrap();
            } else {
                // The connection is read on, up to the window of the stream.
                tokio::task::spawn_blocking(move || may_go_on.recv().unwrap())
                    .await
                    .unwrap();
            }
            let mut count = 0;
            loop {
                let list = lists.message().await.unwrap().unwrap();
                count += 1;
                if list.devices.len() == 2 {
                    return count;
                }
            }
        })
    });
    told.recv().unwrap();
    let began = Instant::now();
    change(&host, &daemon, CHANGES);
    host.node
        .add(&cxi_sim::node::NicSpec::new(cxi_sim::node::Kind::Cassini1))
        .unwrap();
    daemon.look();
    go_on.send(()).unwrap();
    (client.join().unwrap(), began.elapsed().as_secs_f64())
}

#[test]
fn a_kubelet_that_reads_nothing_finds_the_newest_list_and_few_others() {
    let (lists, _) = lists_after_stall(true);
    common::say(&format!("{lists} lists of {CHANGES} changes"));
    assert!(lists <= 3, "{lists}");
}

#[test]
fn a_kubelet_that_handles_nothing_is_not_flooded() {
    let (lists, seconds) = lists_after_stall(false);
    common::say(&format!("{lists} lists of {CHANGES} changes in {seconds:.1} s"));
    // A few at once, then one in each interval: see list_stream.rs.
    assert!((lists as f64) <= 12.0 + seconds / 0.15, "{lists} in {seconds} s");
}

#[tokio::test]
async fn large_requests_are_answered_or_refused_in_few_words() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
    };
    let before = memory();
    let many = |count: usize| (0..count).map(|id| format!("0000:{id:04}:00.0")).collect::<Vec<_>>();
    let refused = async |containers| {
        let refused = kubelet.allocate(RESOURCE, containers).await.unwrap_err().to_string();
        assert!(refused.len() < 600, "{} bytes: {refused}", refused.len());
        refused
    };
    assert!(
        refused(vec![many(4096)])
            .await
            .contains("unknown device '0000:0000:00.0'")
    );
    assert!(refused(vec![many(10_000)]).await.contains("at most 4096"));
    assert!(refused(vec![many(3000), many(3000)]).await.contains("at most 4096"));
    refused(vec![vec![String::new(); 10_000]; 4]).await;
    refused(vec![Vec::new(); 100_000]).await;
    let hostile = refused(vec![vec![format!("\u{1b}[2J\n{}", "x".repeat(100_000))]]).await;
    assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
    refused(vec![vec!["y".repeat(5_000_000)]]).await;
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned(), B.to_owned()]]).await;
    assert_eq!(answer.unwrap().container_responses.len(), 1);
    let more = memory().saturating_sub(before);
    common::say(&format!("{before} kB before large requests, {more} kB more after them"));
    let longest = daemon.log().lines().map(str::len).max().unwrap();
    assert!(longest < 2000, "{longest}");
}

#[tokio::test]
async fn many_callers_of_another_process_keep_neither_kubelet_out_nor_the_end_up() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let socket = own_socket(&host);
    let (mut child, mut streams) = others(&socket).await;
    let mut client = plugin(&socket).await;
    let mut opened = Vec::new();
    for _ in 0..50 {
        opened.push(client.list_and_watch(pb::Empty {}).await);
    }
    assert!(opened.iter().any(Result::is_err), "there is no limit");
    // Those of kubelet's process have a claim.
    streams.clear();
    opened.clear();
    drop(client);
    daemon.wait_for_log("too many callers on our socket");
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert!(kubelet.forget(RESOURCE));
    registered(&kubelet, 2).await;
    wait_for(&kubelet, &[(A, true)]).await;
    assert!(!daemon.log().contains("connections did not end"), "{}", daemon.log());
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    assert!(open < 100, "{open} open files");
    assert_eq!(daemon.terminate().code(), Some(0));
    let _ = child.kill();
    child.wait().unwrap();
    assert_no_violations(&kubelet);
}

/// Whoever begins a call and does not go on holds a place among those that are limited, and not for ever.
#[tokio::test]
async fn calls_that_are_begun_and_not_made_end_by_a_deadline_of_ours() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let socket = own_socket(&host);
    let methods = [
        "GetDevicePluginOptions",
        "ListAndWatch",
        "GetPreferredAllocation",
        "Allocate",
        "PreStartContainer",
    ];
    let begun: Vec<_> = methods
        .map(|method| (method, tokio::spawn(begun(socket.clone(), method))))
        .into();
    // Nobody waits for them.
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    for (method, call) in begun {
        let status = tokio::time::timeout(PATIENCE, call).await;
        let status = status.unwrap_or_else(|_| panic!("{method} hangs")).unwrap();
        assert!(
            matches!(status.code(), tonic::Code::Cancelled | tonic::Code::DeadlineExceeded),
            "{method}: {status:?}"
        );
    }
    // Streams that have begun go on.
    host.node.link(A, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, false)]).await;
    assert_eq!(kubelet.registrations(RESOURCE), 1, "{}", daemon.log());
    assert_no_violations(&kubelet);
}

#[test]
fn a_directory_too_long_for_a_socket_is_wrong_configuration() {
    let host = DaemonFixture::new(&nics(1));
    let long = host.path(&"k".repeat(108));
    let length = long.as_os_str().len();
    let config = host.path("long.toml");
    let text = format!(
        "[kubelet]\ndir = \"{0}\"\n[export]\nmetrics_socket = \"{0}/metrics.sock\"\n",
        long.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    command.arg("--config").arg(config).arg("--root").arg(host.node.root());
    let output = command.arg("--run-dir").arg(host.path("run")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    for wrong in [
        format!("long.toml:2:7: kubelet.dir: this path is {length} bytes long"),
        format!("export.metrics_socket: this path is {} bytes long", length + 13),
    ] {
        assert!(said.contains(&wrong), "{said}");
    }
}
