//! Strategy `auto`: what the node's container runtime says decides how pods get their NICs, and nobody waits for it.
#![cfg(test)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::cri::{Answer, Runtime};
use common::daemon::{A, B, Daemon, DaemonFixture, RESOURCE, assert_no_violations, nics, until, wait_for};
use common::hang::full_backlog;
use cxi_sim::kubelet::Kubelet;
use serde_json::Value;
use tonic::Status;

const CONTAINERD: &str = "run/containerd/containerd.sock";
const K3S: &str = "run/k3s/containerd/containerd.sock";
const CRIO: &str = "run/crio/crio.sock";

fn socket(host: &DaemonFixture, place: &str) -> PathBuf {
    let socket = host.node.root().join(place);
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    socket
}

/// How a pod gets a NIC now.
async fn given(kubelet: &Kubelet) -> &'static str {
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    let container = &answer.container_responses[0];
    match (container.cdi_devices.len(), container.devices.len()) {
        (1, 0) => "cdi",
        (0, 1) => "direct",
        _ => panic!("{container:?}"),
    }
}

/// The same, as the record has it, too.
async fn strategy(host: &DaemonFixture, kubelet: &Kubelet) -> &'static str {
    let given = given(kubelet).await;
    let said = record(host).map(|record| record["strategy"]["in_force"].clone());
    assert_eq!(said, Some(given.into()));
    given
}

fn record(host: &DaemonFixture) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(host.path("run/status.json")).ok()?).ok()
}

fn wait_for_strategy(host: &DaemonFixture, daemon: &Daemon, in_force: &str, reason: &str) -> Value {
    let is_so = |strategy: &Value| {
        strategy["in_force"] == in_force && strategy["reason"].as_str().is_some_and(|text| text.contains(reason))
    };
    until(
        || record(host).is_some_and(|record| is_so(&record["strategy"])),
        || format!("not {in_force}, {reason}: {:?}\n{}", record(host), daemon.log()),
    );
    record(host).unwrap()["strategy"].clone()
}

/// Lines of the log about the strategy.
fn said(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("strategy cdi: ") || line.contains("strategy direct: "));
    lines.map(str::to_owned).collect()
}

/// A daemon and a kubelet that has its list; what is in force then was so from the first answer on.
async fn start(host: &DaemonFixture, flags: &[&str]) -> (Daemon, Kubelet) {
    let (daemon, kubelet) = (host.start(flags), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    until(|| record(host).is_some(), || daemon.log());
    (daemon, kubelet)
}

#[tokio::test]
async fn each_runtime_is_given_what_it_understands() {
    /// Where it is, what it says to a daemon with this CDI directory, the strategy, and a part of the reason.
    type Case = (&'static str, fn(&Path) -> Answer, &'static str, &'static str);
    let cases: [Case; 9] = [
        (
            CONTAINERD,
            |dir| Answer::containerd("1.6.20~ds1", "containerd-1.6", dir),
            "direct",
            "too old",
        ),
        (
            CONTAINERD,
            |dir| Answer::containerd("1.7.24~ds1", "containerd-1.7", dir),
            "direct",
            "enable_cdi = false",
        ),
        (
            CONTAINERD,
            |dir| Answer::containerd("1.7.24~ds1", "containerd-1.7-cdi", dir),
            "cdi",
            "honours CDI names",
        ),
        (
            CONTAINERD,
            |dir| Answer::containerd("2.4.2", "containerd-2.4", dir),
            "cdi",
            "honours CDI names",
        ),
        (
            K3S,
            |_| Answer::new("containerd", "v2.1.5-k3s1"),
            "cdi",
            "honours CDI names",
        ),
        (CRIO, |_| Answer::new("cri-o", "1.30.1"), "cdi", "honours CDI names"),
        (CRIO, |_| Answer::new("cri-o", "1.26.0"), "direct", "too old"),
        (
            CONTAINERD,
            |_| Answer::new("docker", "28.3.0"),
            "direct",
            "is not known",
        ),
        // It reads specs elsewhere.
        (
            CONTAINERD,
            |_| Answer::containerd("2.4.2", "containerd-2.4", Path::new("/opt/other")),
            "direct",
            "does not read CDI specs",
        ),
    ];
    for (place, answer, expected, reason) in cases {
        let host = DaemonFixture::new(&nics(1));
        let answer = answer(&host.path("cdi"));
        let runtime = Runtime::start(&socket(&host, place), answer.clone());
        let (daemon, kubelet) = start(&host, &[]).await;
        assert_eq!(
            strategy(&host, &kubelet).await,
            expected,
            "{answer:?}\n{}",
            daemon.log()
        );
        let record = record(&host).unwrap()["strategy"].clone();
        assert!(record["reason"].as_str().unwrap().contains(reason), "{record}");
        assert_eq!(record["setting"], "auto");
        assert_eq!(record["runtime"]["name"], answer.name);
        assert_eq!(record["runtime"]["version"], answer.version);
        assert_eq!(
            record["runtime"]["socket"],
            Path::new("/").join(place).to_str().unwrap()
        );
        assert!(record["since"].is_u64(), "{record}");
        // More looks, and no more words.
        daemon.look();
        assert_eq!(said(&daemon).len(), 1, "{}", daemon.log());
        assert_eq!(runtime.asked(), 1, "once for the first kubelet");
        let text = status(&host);
        assert!(
            text.contains(&format!("strategy: {expected} for ")) && text.contains(reason),
            "{text}"
        );
        assert_no_violations(&kubelet);
    }
}

fn status(host: &DaemonFixture) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    let output = command
        .arg("status")
        .arg("--run-dir")
        .arg(host.path("run"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_is_no_answer_leads_to_device_nodes_with_the_reason() {
    let huge = Answer {
        config: Some(format!(r#"{{"enableCDI":true,"other":"{}"}}"#, "x".repeat(2 << 20))),
        ..Answer::new("containerd", "1.7.24")
    };
    let torn = Answer {
        config: Some(r#"{"enableCDI":true"#.to_owned()),
        ..Answer::new("containerd", "1.7.24")
    };
    let odd = Answer {
        config: Some(r#"{"enableCDI":"yes"}"#.to_owned()),
        ..Answer::new("containerd", "2.0.0")
    };
    let cases = [
        (Ok(huge), "does not say what it is: OutOfRange"),
        (Ok(torn), "its configuration cannot be read"),
        (Ok(odd), "its configuration cannot be read"),
        (Ok(Answer::new("containerd", "\u{1b}[31mnew")), "\\u{1b}[31mnew"),
        (
            Err(Status::unimplemented("unknown service")),
            "serves no CRI of version 1: unknown service",
        ),
        (
            Err(Status::internal("\u{1b}[31mno")),
            "does not say what it is: Internal: \\u{1b}[31mno",
        ),
    ];
    for (answer, reason) in cases {
        let host = DaemonFixture::new(&nics(1));
        let _runtime = Runtime::serve(&socket(&host, CONTAINERD), answer);
        let (daemon, kubelet) = start(&host, &[]).await;
        assert_eq!(strategy(&host, &kubelet).await, "direct", "{}", daemon.log());
        wait_for_strategy(&host, &daemon, "direct", reason);
    }
}

#[tokio::test]
async fn without_a_socket_or_with_another_server_behind_it_pods_get_device_nodes() {
    let none = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = start(&none, &[]).await;
    assert_eq!(strategy(&none, &kubelet).await, "direct");
    wait_for_strategy(
        &none,
        &daemon,
        "direct",
        "no container runtime has a socket at /run/k3s",
    );

    let left_over = DaemonFixture::new(&nics(1));
    drop(UnixListener::bind(socket(&left_over, CONTAINERD)).unwrap());
    let (daemon, kubelet) = start(&left_over, &[]).await;
    assert_eq!(strategy(&left_over, &kubelet).await, "direct");
    wait_for_strategy(
        &left_over,
        &daemon,
        "direct",
        "/run/containerd/containerd.sock is served by nobody",
    );

    let garbage = DaemonFixture::new(&nics(1));
    let listener = UnixListener::bind(socket(&garbage, CONTAINERD)).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map(Result::unwrap) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (daemon, kubelet) = start(&garbage, &[]).await;
    assert_eq!(strategy(&garbage, &kubelet).await, "direct");
    wait_for_strategy(&garbage, &daemon, "direct", "/run/containerd/containerd.sock ");
}

/// Nobody takes the calls: those in the kernel's queue, or not even those.
#[tokio::test]
async fn a_runtime_that_hangs_holds_up_nobody_and_counts_once_it_answers() {
    for is_queue_full in [false, true] {
        let host = DaemonFixture::new(&nics(1));
        let socket = socket(&host, CONTAINERD);
        let (listener, queue) = match is_queue_full {
            true => full_backlog(&socket),
            false => (UnixListener::bind(&socket).unwrap(), Vec::new()),
        };
        let (daemon, kubelet) = start(&host, &["--pulse", "1"]).await;
        // It still hangs, so whoever waited for it would never get here.
        for _ in 0..50 {
            assert_eq!(strategy(&host, &kubelet).await, "direct");
        }
        wait_for_strategy(&host, &daemon, "direct", "no container runtime answers within 200 ms");
        assert_eq!(said(&daemon).len(), 1, "{}", daemon.log());

        drop(queue);
        let _runtime = Runtime::on(listener, &socket, Ok(Answer::new("containerd", "v2.4.2")));
        wait_for_strategy(&host, &daemon, "cdi", "containerd v2.4.2 honours CDI names");
        assert_eq!(strategy(&host, &kubelet).await, "cdi");
        assert_eq!(kubelet.registrations(RESOURCE), 1, "kubelet has no part in it");
        assert_no_violations(&kubelet);
    }
}

#[tokio::test]
async fn another_answer_counts_without_a_new_registration() {
    let host = DaemonFixture::new(&nics(1));
    let socket = socket(&host, CONTAINERD);
    let (daemon, kubelet) = start(&host, &["--pulse", "1"]).await;
    assert_eq!(strategy(&host, &kubelet).await, "direct");
    for (version, expected) in [("v2.4.2", "cdi"), ("1.6.20", "direct"), ("2.0.0", "cdi")] {
        let runtime = Runtime::start(&socket, Answer::new("containerd", version));
        wait_for_strategy(&host, &daemon, expected, version);
        assert_eq!(strategy(&host, &kubelet).await, expected);
        drop(runtime);
        // While it is away, as in a restart, it is taken for the same.
        daemon.look();
        assert_eq!(strategy(&host, &kubelet).await, expected);
    }
    assert_eq!(kubelet.registrations(RESOURCE), 1);
    assert_eq!(said(&daemon).len(), 4, "{}", daemon.log());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn it_is_asked_once_in_each_life_of_kubelet() {
    let host = DaemonFixture::new(&nics(1));
    let socket = socket(&host, CONTAINERD);
    let runtime = Runtime::start(&socket, Answer::new("containerd", "v2.4.2"));
    let (daemon, mut kubelet) = start(&host, &[]).await;
    assert_eq!(runtime.asked(), 1);
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    until(|| runtime.asked() == 2, || daemon.log());
    assert_eq!(strategy(&host, &kubelet).await, "cdi");
    // A kubelet whose runtime has gone is not given what that one understood.
    drop(runtime);
    kubelet.restart().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    wait_for_strategy(&host, &daemon, "direct", "no container runtime has a socket");
    assert_eq!(strategy(&host, &kubelet).await, "direct");
}

/// The daemon starts first, then kubelet, then the runtime that kubelet waits for: the usual order of a boot.
#[tokio::test]
async fn a_runtime_that_comes_with_kubelet_counts() {
    let host = DaemonFixture::new(&nics(1));
    let daemon = host.start(&[]);
    wait_for_strategy(&host, &daemon, "direct", "no container runtime has a socket");
    let socket = socket(&host, CRIO);
    let runtime = Runtime::start(&socket, Answer::new("cri-o", "1.34.0"));
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true)]).await;
    // Not a moment later: kubelet keeps its answers, above all those of a boot.
    assert_eq!(given(&kubelet).await, "cdi", "{}", daemon.log());
    wait_for_strategy(&host, &daemon, "cdi", "cri-o 1.34.0");
    // And so it is when a runtime is exchanged together with kubelet.
    let mut kubelet = kubelet;
    kubelet.stop();
    drop(runtime);
    let _runtime = Runtime::start(&socket, Answer::new("containerd", "1.6.20"));
    kubelet.boot().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    assert_eq!(given(&kubelet).await, "direct", "{}", daemon.log());
}

/// A NIC whose name no runtime can resolve is good for device nodes alone.
#[tokio::test]
async fn health_of_the_cdi_file_and_the_answers_change_together() {
    let host = DaemonFixture::new(&nics(2));
    let socket = socket(&host, CONTAINERD);
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    // Somebody else has the same name for one of them, so readers drop both.
    let foreign =
        format!("cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices:\n- name: \"{B}\"\n  containerEdits:\n    env: [X=1]\n");
    fs::write(host.path("cdi/foreign.yaml"), foreign).unwrap();
    daemon.look();
    assert!(kubelet.devices(RESOURCE).iter().all(|device| device.is_healthy()));

    let runtime = Runtime::start(&socket, Answer::new("containerd", "v2.4.2"));
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    wait_for_strategy(&host, &daemon, "cdi", "v2.4.2");
    drop(runtime);
    let _runtime = Runtime::start(&socket, Answer::new("containerd", "1.6.20"));
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_strategy(&host, &daemon, "direct", "1.6.20");
    assert_eq!(kubelet.registrations(RESOURCE), 1);
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn what_the_site_says_counts_whatever_the_runtime_says() {
    for (setting, version, warns) in [
        ("cdi", "1.6.20", true),
        ("cdi", "v2.4.2", false),
        ("direct", "1.6.20", false),
        ("direct", "v2.4.2", false),
    ] {
        let host = DaemonFixture::new(&nics(1));
        host.configure(&format!("[allocation]\nstrategy = \"{setting}\"\n"));
        let _runtime = Runtime::start(&socket(&host, CONTAINERD), Answer::new("containerd", version));
        let (daemon, kubelet) = start(&host, &[]).await;
        assert_eq!(strategy(&host, &kubelet).await, setting);
        let record = wait_for_strategy(&host, &daemon, setting, version);
        assert_eq!(record["setting"], setting);
        daemon.wait_for_log(version);
        let warned = daemon.log().contains("pods may start without their NICs");
        assert_eq!(warned, warns, "{setting} {version}: {}", daemon.log());
    }
}

#[tokio::test]
async fn of_two_runtimes_the_one_that_drops_names_counts() {
    let host = DaemonFixture::new(&nics(1));
    let _one = Runtime::start(&socket(&host, K3S), Answer::new("containerd", "v2.1.5-k3s1"));
    let _other = Runtime::start(&socket(&host, CONTAINERD), Answer::new("containerd", "1.6.20"));
    let (daemon, kubelet) = start(&host, &[]).await;
    assert_eq!(strategy(&host, &kubelet).await, "direct");
    wait_for_strategy(&host, &daemon, "direct", "1.6.20");

    // Docker's, which serves no kubelet, has no say.
    let host = DaemonFixture::new(&nics(1));
    let _docker = Runtime::serve(
        &socket(&host, CONTAINERD),
        Err(Status::unimplemented("unknown service")),
    );
    let _crio = Runtime::start(&socket(&host, CRIO), Answer::new("cri-o", "1.34.0"));
    let (_daemon, kubelet) = start(&host, &[]).await;
    assert_eq!(strategy(&host, &kubelet).await, "cdi");
}

#[tokio::test]
async fn a_configured_endpoint_is_the_only_one_that_is_asked() {
    let host = DaemonFixture::new(&nics(1));
    let elsewhere = host.path("elsewhere.sock");
    host.configure(&format!("[runtime]\nendpoint = \"unix://{}\"\n", elsewhere.display()));
    let usual = Runtime::start(&socket(&host, CONTAINERD), Answer::new("containerd", "v2.4.2"));
    let (daemon, kubelet) = start(&host, &["--pulse", "1"]).await;
    assert_eq!(strategy(&host, &kubelet).await, "direct");
    wait_for_strategy(&host, &daemon, "direct", elsewhere.to_str().unwrap());
    let _runtime = Runtime::start(&elsewhere, Answer::new("cri-o", "1.34.0"));
    wait_for_strategy(&host, &daemon, "cdi", "cri-o");
    assert_eq!(usual.asked(), 0);
}
