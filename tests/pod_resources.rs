//! Which pod holds which NIC, as kubelet tells it: shown by `status`, `devices` and `doctor`, and no reason for any of them to
//! fail, whatever stands at kubelet's socket.
#![cfg(test)]

mod common;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::daemon::{A, B, DaemonFixture, RESOURCE, nics, until, wait_for};
use common::doctor_fixture::DoctorFixture;
use common::generator_fixture::assert_has;
use common::hang::Hang;
use common::pod_resources::{Get, PodResourcesServer, World, pod};
use common::raw_kubelet::{Manner, RawKubelet};
use common::skip::{Need, skip};
use common::{Output, mounts, raw_answer};
use cxi_device_plugin::kubelet::pod_resources::pb;
use cxi_sim::kubelet::{Kubelet, Settings};
use cxi_sim::node::{Kind, NicSpec};
use nix::unistd::Uid;
use prost::Message;
use serde_json::Value;

const PLUGIN: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");

fn world(pods: &[pb::PodResources]) -> World {
    World {
        pods: pods.to_vec(),
        ..World::default()
    }
}

fn server(host: &DaemonFixture, world: World) -> PodResourcesServer {
    PodResourcesServer::start(&host.path("pods.sock"), world)
}

/// A command about this host, which asks at this socket.
fn command(host: &DaemonFixture, name: &str, socket: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(PLUGIN);
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
        command.env_remove(variable);
    }
    command.arg(name).args(flags).arg("--root").arg(host.node.root());
    command.arg("--run-dir").arg(host.path("run"));
    command.arg("--pod-resources").arg(socket);
    command
}

fn said(host: &DaemonFixture, name: &str, flags: &[&str]) -> Output {
    command(host, name, &host.path("pods.sock"), flags)
        .output()
        .unwrap()
        .into()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Pods by NIC, of what a command says for programs.
fn held(report: &Value) -> Vec<(String, String)> {
    let held = report["pods"]["held"].as_array().unwrap_or_else(|| panic!("{report}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    held.iter()
        .map(|held| (text(&held["nic"]), text(&held["pod"])))
        .collect()
}

fn two() -> DaemonFixture {
    DaemonFixture::new(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)])
}

/// What `devices` says of pods where it has no column for them.
fn reason(host: &DaemonFixture, socket: &Path) -> String {
    let output: Output = command(host, "devices", socket, &[]).output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains(A) && !output.stdout.contains(" POD "),
        "{output:?}"
    );
    let line = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("pods: not known ("));
    let reason = line.unwrap_or_else(|| panic!("{output:?}"));
    let reason = reason.strip_suffix(')').unwrap().to_owned();
    let report = json(
        &command(host, "devices", socket, &["--output", "json"])
            .output()
            .unwrap()
            .into(),
    );
    assert_eq!(report["pods"]["unknown"], reason, "{report}");
    assert_eq!(report["nics"].as_array().map(Vec::len), Some(2), "{report}");
    reason
}

#[test]
fn every_command_shows_who_holds_what() {
    let host = two();
    let pods = world(&[
        pod("mpi-0", &[("prepare", &[A]), ("main", &[A])]),
        pod("other", &[("main", &[])]),
    ]);
    let server = server(&host, pods);
    let daemon = host.start(&[]);
    until(|| host.path("run/status.json").exists(), || daemon.log());
    for name in ["devices", "status"] {
        let output = said(&host, name, &[]);
        assert_eq!(output.code, 0, "{output:?}");
        let line = |start: &str| {
            let mut lines = output.stdout.lines();
            lines.find(|line| line.starts_with(start)).unwrap().to_owned()
        };
        assert_has(&line("ADDRESS"), "  POD");
        assert_has(&line(A), "  hpc/mpi-0/main+prepare  ");
        assert_has(&line(B), "  -");
    }
    for name in ["devices", "status", "doctor"] {
        let report = json(&said(&host, name, &["--output", "json"]));
        assert_eq!(held(&report), [(A.to_owned(), "mpi-0".to_owned())], "{report}");
        assert_eq!(report["pods"]["unknown"], Value::Null);
        assert_eq!(report["pods"]["held"][0]["namespace"], "hpc");
        assert_eq!(report["pods"]["held"][0]["containers"][0], "main");
        assert_eq!(report["pods"]["conflicts"], Value::Array(Vec::new()), "{report}");
    }
    assert_has(
        &said(&host, "doctor", &[]).stdout,
        &format!("    {A}: hpc/mpi-0/main+prepare\n"),
    );
    assert_eq!(server.lists(), 6, "the daemon asks nothing, and each command once");
    // The record of the daemon is as it was.
    assert_eq!(held_in_record(&host), Value::Null);
}

fn held_in_record(host: &DaemonFixture) -> Value {
    let text = fs::read_to_string(host.path("run/status.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["pods"].clone()
}

#[test]
fn the_socket_and_the_resource_are_those_of_the_hosts_configuration() {
    let host = two();
    let usual = host.node.root().join("var/lib/kubelet/pod-resources/kubelet.sock");
    let server = PodResourcesServer::start(&usual, world(&[pod("mpi-0", &[("main", &[A])])]));
    let devices = |host: &DaemonFixture| {
        let mut command = Command::new(PLUGIN);
        command
            .args(["devices", "--output", "json", "--root"])
            .arg(host.node.root());
        json(&command.output().unwrap().into())
    };
    assert_eq!(held(&devices(&host)), [(A.to_owned(), "mpi-0".to_owned())]);
    drop(server);
    let elsewhere = host.node.root().join("run/pods.sock");
    fs::create_dir_all(host.node.root().join("etc/cxi-device-plugin")).unwrap();
    fs::write(
        host.node.root().join("etc/cxi-device-plugin/config.toml"),
        "[kubelet]\npod_resources = \"/run/pods.sock\"\n[[resource]]\nname = \"hpe.com/other\"\n",
    )
    .unwrap();
    let mut other = pod("of-other", &[("main", &[B])]);
    other.containers[0].devices[0].resource_name = "hpe.com/other".to_owned();
    let _server = PodResourcesServer::start(&elsewhere, world(&[pod("mpi-0", &[("main", &[A])]), other]));
    assert_eq!(held(&devices(&host)), [(B.to_owned(), "of-other".to_owned())]);
}

#[test]
fn claims_count_as_devices_do_and_other_resources_do_not() {
    let host = two();
    let mut gpu = pod("gpu", &[("main", &[A])]);
    gpu.containers[0].devices[0].resource_name = "nvidia.com/gpu".to_owned();
    let mut claimed = pod("claimed", &[("main", &[])]);
    let cdi = |name: &str| pb::CdiDevice { name: name.to_owned() };
    claimed.containers[0].dynamic_resources.push(pb::DynamicResource {
        claim_name: "nic".to_owned(),
        claim_namespace: "hpc".to_owned(),
        claim_resources: vec![pb::ClaimResource {
            cdi_devices: vec![cdi(&format!("hpe.com/cxi={B}")), cdi("other.com/x=0")],
            ..pb::ClaimResource::default()
        }],
    });
    let _server = server(&host, world(&[gpu, claimed]));
    let report = json(&said(&host, "devices", &["--output", "json"]));
    assert_eq!(held(&report), [(B.to_owned(), "claimed".to_owned())]);
    assert_eq!(report["pods"]["held"][0]["claims"][0], "hpc/nic");
}

#[test]
fn two_pods_with_one_nic_are_a_problem_unless_one_has_gone() {
    let host = DoctorFixture::podman();
    let socket = host.path("run/pods.sock");
    let pods = [pod("mpi-0", &[("main", &[A])]), pod("mpi-1", &[("main", &[A])])];
    let server = PodResourcesServer::start(&socket, world(&pods));
    let ids = || {
        let output = host.doctor(&["--output", "json", "--pod-resources", server.socket()]);
        let report = json(&output);
        let findings = report["findings"].as_array().unwrap();
        let of = |finding: &Value| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{} {}: {}", text("level"), text("id"), text("what"))
        };
        (output.code, findings.iter().map(of).collect::<Vec<_>>())
    };
    let get = |get: Get| {
        server.set(World { get, ..world(&pods) });
        ids()
    };
    let (code, findings) = get(Get::Known);
    assert_eq!((code, findings.len()), (3, 1), "{findings:?}");
    assert!(findings[0].starts_with("problem nic-held-twice"), "{findings:?}");
    assert_has(&findings[0], "hpc/mpi-0/main, hpc/mpi-1/main");
    let (code, findings) = get(Get::Disabled);
    assert_eq!((code, findings.len()), (3, 1), "{findings:?}");
    assert!(findings[0].starts_with("warning nic-held-twice"), "{findings:?}");
    assert_has(&findings[0], "before 1.34");
    assert_eq!(get(Get::SecondIsGone), (0, Vec::new()));
    assert_eq!(get(Get::SecondHasEnded), (0, Vec::new()));
    // Containers of one pod take turns.
    server.set(world(&[pod("mpi-0", &[("prepare", &[A]), ("main", &[A])])]));
    assert_eq!(ids(), (0, Vec::new()));
    // So does a pod with its successor of the same name, which kubelet knows side by side for a while.
    server.set(world(&[pods[0].clone(), pods[0].clone()]));
    assert_eq!(ids(), (0, Vec::new()));
}

#[test]
fn a_contested_nic_shows_both_pods() {
    let host = two();
    let pods = [pod("mpi-0", &[("main", &[A])]), pod("mpi-1", &[("main", &[A])])];
    let _server = server(&host, world(&pods));
    let output = said(&host, "devices", &[]);
    assert_has(&output.stdout, "hpc/mpi-0/main, hpc/mpi-1/main");
    let report = json(&said(&host, "devices", &["--output", "json"]));
    assert_eq!(report["pods"]["conflicts"][0], A);
    assert_eq!(report["pods"]["held"][0]["confirmed"], true);
}

#[test]
fn what_is_not_here_is_named_beside_the_table() {
    let host = DoctorFixture::podman();
    let socket = host.path("run/pods.sock");
    let pods = [pod("stale", &[("main", &["0000:ff:00.0", "gpu\u{1b}[2J-0"])])];
    let server = PodResourcesServer::start(&socket, world(&pods));
    let flags = ["--pod-resources", server.socket()];
    let output = host.doctor(&flags);
    assert_eq!(output.code, 3, "{output:?}");
    assert_has(&output.stdout, "nic-held-and-gone: 0000:ff:00.0");
    let output: Output = command(&host.host, "devices", &socket, &[]).output().unwrap().into();
    assert_has(&output.stdout, "held, and not there: 0000:ff:00.0 by hpc/stale/main\n");
    assert_has(&output.stdout, "held, and no NIC's address: gpu");
    assert!(!output.stdout.contains('\u{1b}'), "{output:?}");
}

#[test]
fn names_of_pods_steer_no_terminal() {
    let host = DoctorFixture::podman();
    let socket = host.path("run/pods.sock");
    let hostile = |name: &str| pod(name, &[("c\u{1b}[2J\nx", &[A])]);
    let pods = [hostile("a\u{202e}\u{1b}[1mb"), hostile("; rm -rf $HOME")];
    let server = PodResourcesServer::start(&socket, world(&pods));
    for output in [
        host.doctor(&["--pod-resources", server.socket()]),
        command(&host.host, "devices", &socket, &[]).output().unwrap().into(),
    ] {
        assert!(!output.stdout.contains(['\u{1b}', '\u{202e}']), "{output:?}");
        assert!(!output.stdout.contains("\nx"), "{output:?}");
    }
    let doctor = host.doctor(&["--pod-resources", server.socket()]);
    assert_has(&doctor.stdout, "kubectl get pod -n hpc '; rm -rf $HOME'");
}

#[test]
fn an_empty_answer_is_a_node_without_pods() {
    let host = two();
    let _server = server(&host, World::default());
    let output = said(&host, "devices", &[]);
    assert_has(&output.stdout, " POD ");
    assert!(!output.stdout.contains("not known"), "{output:?}");
}

#[test]
fn kubelets_limit_of_calls_is_waited_for() {
    let host = two();
    let server = server(
        &host,
        World {
            refusals: 3,
            ..world(&[pod("mpi-0", &[("main", &[A])])])
        },
    );
    let report = json(&said(&host, "devices", &["--output", "json"]));
    assert_eq!(held(&report).len(), 1, "{report}");
    assert_eq!(server.lists(), 4);
}

#[test]
fn whatever_stands_at_the_socket_costs_a_word_and_nothing_else() {
    let host = two();
    let path = |name: &str| host.path(name);
    assert_eq!(reason(&host, &path("absent.sock")), "no socket");
    drop(UnixListener::bind(path("dead.sock")).unwrap());
    assert_eq!(reason(&host, &path("dead.sock")), "nobody listens");
    fs::write(path("file.sock"), "").unwrap();
    assert_eq!(reason(&host, &path("file.sock")), "nobody listens");
    // It takes the call and never says anything.
    let _silent = UnixListener::bind(path("silent.sock")).unwrap();
    assert_eq!(reason(&host, &path("silent.sock")), "no answer in time");
    for (name, words) in [
        ("closes.sock", &b""[..]),
        ("http.sock", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ] {
        let listener = UnixListener::bind(path(name)).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.unwrap().write_all(words);
            }
        });
        assert_eq!(reason(&host, &path(name)), "no sensible answer", "{name}");
    }
    // Kubelet's other socket.
    let _registration = RawKubelet::start(&host.kubelet_dir(), Manner::NeverCalls);
    assert_eq!(
        reason(&host, &host.kubelet_dir().join("kubelet.sock")),
        "no such service"
    );
    // The field of pods as a number, and a text that is none.
    raw_answer::serve(&path("number.sock"), vec![0x08, 1]);
    assert_eq!(reason(&host, &path("number.sock")), "no sensible answer");
    raw_answer::serve(&path("text.sock"), vec![0x0a, 3, 0x0a, 1, 0xff]);
    assert_eq!(reason(&host, &path("text.sock")), "no sensible answer");
    let long = path(&"x".repeat(120));
    assert_has(&reason(&host, &long), "File name too long");
}

#[test]
fn answers_up_to_the_limit_of_kubelets_own_clients_are_taken() {
    const LIMIT: usize = 16 << 20;
    let host = two();
    // What a debug build decodes in no time.
    let padding = pod(&"p".repeat(LIMIT - 200), &[("main", &[])]);
    let answer = pb::ListPodResourcesResponse {
        pod_resources: vec![padding, pod("mpi-0", &[("main", &[A])])],
    };
    let mut bytes = answer.encode_to_vec();
    assert!(bytes.len() < LIMIT && LIMIT - bytes.len() < 200, "{}", bytes.len());
    raw_answer::serve(&host.path("large.sock"), bytes.clone());
    let large = || {
        let output = command(&host, "devices", &host.path("large.sock"), &["--output", "json"]).output();
        json(&output.unwrap().into())
    };
    // Not every time: a busy machine may not pass on as much before the command gives up.
    until(
        || held(&large()) == [(A.to_owned(), "mpi-0".to_owned())],
        || large()["pods"].to_string(),
    );
    bytes.extend(vec![0; LIMIT]);
    raw_answer::serve(&host.path("huge.sock"), bytes);
    assert_eq!(reason(&host, &host.path("huge.sock")), "too large an answer");
}

/// Root may ask, so as root the command runs as nobody.
#[test]
fn an_ordinary_user_is_told_that_root_may_ask() {
    let host = two();
    let _server = server(&host, world(&[pod("mpi-0", &[("main", &[A])])]));
    let folder = host.path("closed");
    fs::create_dir(&folder).unwrap();
    fs::rename(host.path("pods.sock"), folder.join("pods.sock")).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o000)).unwrap();
    let mut command = command(&host, "devices", &folder.join("pods.sock"), &[]);
    if Uid::effective().is_root() {
        const NOBODY: u32 = 65_534;
        fs::set_permissions(host.path(""), Permissions::from_mode(0o755)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output: Output = command.output().unwrap().into();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    assert_has(&output.stdout, "pods: not known (only root may ask)\n");
}

#[test]
fn a_file_system_that_hangs_costs_two_seconds() {
    if !mounts::are_own("a_file_system_that_hangs_costs_two_seconds") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let host = two();
    fs::create_dir(host.path("hangs")).unwrap();
    let hang = Hang::at(host.path("hangs"));
    assert_eq!(reason(&host, &host.path("hangs/pods.sock")), "no answer in time");
    hang.end();
}

/// The whole way: kubelet admits a pod, the daemon answers, kubelet tells, until the pod has gone; a restart loses nothing.
#[tokio::test]
async fn a_pod_that_is_admitted_shows_until_it_is_gone() {
    let host = two();
    let socket = host.path("pods.sock");
    let mut kubelet = Kubelet::new(
        &host.kubelet_dir(),
        Settings {
            pod_resources: Some(socket.clone()),
            ..Settings::default()
        },
    );
    kubelet.boot().unwrap();
    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let shown = async || {
        let mut command = command(&host, "status", &socket, &["--output", "json"]);
        let output = tokio::task::spawn_blocking(move || Output::from(command.output().unwrap()));
        held(&json(&output.await.unwrap()))
    };
    assert_eq!(shown().await, []);
    let grant = kubelet.allocate_count(RESOURCE, "mpi-0", 1).await.unwrap();
    let expected = [(grant.ids[0].clone(), "mpi-0".to_owned())];
    assert_eq!(shown().await, expected);
    kubelet.restart().unwrap();
    assert_eq!(shown().await, expected);
    assert!(kubelet.release("mpi-0"));
    assert_eq!(shown().await, []);
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// What the daemon has to do with it: nothing.
#[test]
fn the_daemon_asks_nobody() {
    let host = DaemonFixture::new(&nics(1));
    let socket = host.path("pods.sock");
    let server = PodResourcesServer::start(&socket, world(&[pod("mpi-0", &[("main", &[A])])]));
    host.configure(&format!("[kubelet]\npod_resources = \"{}\"\n", socket.display()));
    let daemon = host.start(&[]);
    daemon.wait_until_settled();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(server.lists(), 0);
}
