//! The daemon's life at its borders: kubelet's directory, the CDI directory, signals, exit codes, the log. What it
//! answers to pods is in `allocation.rs`.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::daemon::{A, B, C, D, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, until, wait_for};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::kubelet::pb;
use cxi_sim::kubelet::pb::device_plugin_client::DevicePluginClient;
use cxi_sim::kubelet::pb::registration_server::{Registration, RegistrationServer};
use cxi_sim::node::{Kind, NicSpec, Variant};
use nix::sys::signal::Signal;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status};

/// How many lists kubelet has got so far.
fn lists(kubelet: &Kubelet) -> usize {
    kubelet
        .transcript()
        .iter()
        .filter(|line| line.text.contains("\"list\""))
        .count()
}

#[tokio::test]
async fn it_waits_for_kubelet_without_failing_and_writes_the_spec_meanwhile() {
    let host = DaemonFixture::new(&nics(2));
    let daemon = host.start(&[]);
    daemon.wait_for_log("waiting for kubelet.sock in");
    assert!(host.spec().contains(&format!("name: \"{A}\"")), "{}", host.spec());
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert_eq!(
        daemon.log().matches("waiting for kubelet.sock").count(),
        1,
        "{}",
        daemon.log()
    );
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn sigterm_leaves_no_socket_and_keeps_the_spec() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let before = host.spec();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
    assert_eq!(host.spec(), before);
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.open_streams(RESOURCE) == 0)
            .await
    );
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_while_it_waits_for_kubelet() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let host = DaemonFixture::new(&nics(1));
        let mut daemon = host.start(&[]);
        daemon.wait_for_log("waiting for kubelet.sock in");
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
    }
}

#[tokio::test]
async fn the_socket_is_for_root_only_and_tells_resource_and_process() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let sockets = host.plugin_sockets();
    assert_eq!(sockets.len(), 1);
    let mode = fs::metadata(host.kubelet_dir().join(&sockets[0]))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let parts: Vec<&str> = sockets[0].strip_suffix(".sock").unwrap().split('-').collect();
    assert!(
        matches!(parts[..], ["cxi", hash, _pid, _count] if hash.len() == 8),
        "{sockets:?}"
    );
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_second_instance_ends_with_75_and_harms_nobody() {
    let host = DaemonFixture::new(&nics(1));
    let (mut daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let second = host.command().output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    let output = String::from_utf8(second.stderr).unwrap();
    assert!(output.contains("another instance is running (pid "), "{output}");
    assert!(daemon.is_running());
    assert_eq!(kubelet.registrations(RESOURCE), 1);
    assert_eq!(host.plugin_sockets().len(), 1);
}

#[tokio::test]
async fn sockets_of_the_dead_are_removed_and_those_of_the_living_and_of_others_are_not() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let left = host.plugin_sockets()[0].clone();
    daemon.kill();
    assert_eq!(host.plugin_sockets(), std::slice::from_ref(&left));
    let living = left.replace(".sock", "0.sock");
    let _served = UnixListener::bind(host.kubelet_dir().join(&living)).unwrap();
    drop(UnixListener::bind(host.kubelet_dir().join("somebody.sock")).unwrap());

    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true)]).await;
    let now = host.plugin_sockets();
    assert!(
        !now.contains(&left) && now.contains(&living) && now.contains(&"somebody.sock".to_owned()),
        "{now:?}"
    );
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_kubelet_that_forgets_us_is_reminded() {
    let host = DaemonFixture::new(&nics(1));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    assert!(kubelet.forget(RESOURCE));
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.registrations(RESOURCE) == 2)
            .await
    );
    wait_for(&kubelet, &[(A, true)]).await;
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_removed_socket_is_replaced() {
    let host = DaemonFixture::new(&nics(1));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let socket = host.plugin_sockets()[0].clone();
    fs::remove_file(host.kubelet_dir().join(&socket)).unwrap();
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.registrations(RESOURCE) == 2)
            .await
    );
    wait_for(&kubelet, &[(A, true)]).await;
    assert!(!host.plugin_sockets().contains(&socket));
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_kubelet_directory_that_is_removed_and_made_anew_is_found_again() {
    let host = DaemonFixture::new(&nics(1));
    let (_daemon, mut kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    kubelet.shutdown();
    fs::remove_dir_all(host.kubelet_dir()).unwrap();
    kubelet.boot().unwrap();
    wait_for(&kubelet, &[(A, true)]).await;
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn nics_come_move_break_and_go_at_each_sighup() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;

    host.node.add(&NicSpec::new(Kind::Cassini2)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true), (C, true)]).await;
    assert!(
        host.spec().contains(&format!("- name: {C}\n")),
        "the file is written before kubelet hears of a NIC"
    );

    host.node.link(B, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false), (C, true)]).await;
    host.node.link(B, true).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true), (C, true)]).await;

    let number = host.node.rebind(A).unwrap();
    daemon.hang_up();
    host.wait_for_spec(|spec| spec.contains(&format!("- name: cxi{number}\n")));
    assert_eq!(kubelet.devices(RESOURCE).len(), 3);

    host.node.remove(C).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    host.wait_for_spec(|spec| !spec.contains(C));
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_rebind_without_a_scan_between_changes_nothing_for_kubelet() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let before = lists(&kubelet);
    // Asleep, it cannot look in the middle of the rebind.
    daemon.pause();
    host.node.rebind(A).unwrap();
    daemon.wake();
    daemon.hang_up();
    host.wait_for_spec(|spec| spec.contains("path: /dev/cxi1\n"));
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert_eq!(answer.container_responses[0].devices[0].container_path, "/dev/cxi1");
    assert_eq!(lists(&kubelet), before, "the device and its health are the same");
}

#[tokio::test]
async fn a_node_without_nics_registers_with_an_empty_list_and_the_driver_may_come_later() {
    let host = DaemonFixture::new(&[]);
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.open_streams(RESOURCE) == 1)
            .await
    );
    assert!(!host.spec_file().exists());
    host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
    host.node.remove(A).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[]).await;
    until(
        || !host.spec_file().exists(),
        || "the spec of a node without NICs is still there".to_owned(),
    );
}

#[tokio::test]
async fn an_unhealthy_nic_stays_unhealthy_over_reconnects() {
    let host = DaemonFixture::new(&[NicSpec::new(Kind::Cassini1).variant(Variant::V14)]);
    let (_daemon, mut kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, false)]).await;
    for _ in 0..3 {
        kubelet.restart().unwrap();
        wait_for(&kubelet, &[(A, false)]).await;
    }
    assert!(
        !kubelet
            .transcript()
            .iter()
            .any(|line| line.text.contains("\"Healthy\"")),
        "never called healthy"
    );
}

#[tokio::test]
async fn with_cdi_a_nic_whose_spec_cannot_be_written_is_not_offered() {
    let host = DaemonFixture::new(&nics(1));
    fs::write(host.path("cdi"), "a file where the directory should be").unwrap();
    let (daemon, kubelet) = (host.start(&["--enable-cdi"]), host.kubelet());
    wait_for(&kubelet, &[(A, false)]).await;
    assert!(
        daemon.log().contains("the CDI file stays as it was"),
        "{}",
        daemon.log()
    );
    fs::remove_file(host.path("cdi")).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
}

#[tokio::test]
async fn without_cdi_kubelet_is_served_even_if_the_spec_cannot_be_written() {
    let host = DaemonFixture::new(&nics(1));
    fs::write(host.path("cdi"), "a file where the directory should be").unwrap();
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
}

#[test]
fn bad_configuration_ends_with_78_and_wrong_usage_with_2() {
    let host = DaemonFixture::new(&[]);
    let run = |flags: &[&str]| {
        let output = host.command().args(flags).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, output) = run(&["--sysfs-root", "/absent"]);
    assert_eq!(code, Some(78), "{output}");
    let (code, output) = run(&["--env-vars", "/absent"]);
    assert!(code == Some(78) && output.contains("/absent"), "{output}");
    for flags in [
        &["--resource-name", "cxi"][..],
        &["--enable-cdi", "/etc/cdi"],
        &["--pulse", "often"],
        &["--frobnicate"],
    ] {
        let (code, output) = run(flags);
        assert_eq!(code, Some(2), "{flags:?}: {output}");
    }
}

#[tokio::test]
async fn a_node_without_the_classes_is_no_reason_to_warn_and_the_driver_may_come_later() {
    let host = DaemonFixture::new(&[]);
    let classes = ["sys/class/cxi", "sys/class/cxi_user"].map(|class| host.node.root().join(class));
    for class in &classes {
        fs::remove_dir(class).unwrap();
    }
    let (kubelet, daemon) = (host.kubelet(), host.start(&[]));
    assert!(
        kubelet
            .wait_until(PATIENCE, |kubelet| kubelet.open_streams(RESOURCE) == 1)
            .await
    );
    assert_eq!(daemon.warnings(), [""; 0]);
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
    for class in &classes {
        fs::create_dir(class).unwrap();
    }
    host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
    assert!(host.spec().contains(&format!("name: \"{A}\"")), "{}", host.spec());
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn ten_kubelet_restarts_leave_nothing_behind_in_the_daemon() {
    let host = DaemonFixture::new(&nics(2));
    let (daemon, mut kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    daemon.wait_for_log("registered with kubelet");
    let open_files = || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    let before = open_files();
    for _ in 0..10 {
        kubelet.restart().unwrap();
        wait_for(&kubelet, &[(A, true), (B, true)]).await;
    }
    // The first count may have seen a call that was just ending, so fewer is fine.
    until(
        || open_files() <= before,
        || format!("{} open files, and {before} before", open_files()),
    );

    let listed = lists(&kubelet);
    host.node.link(B, false).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    // News in one stream come in order: a second list for the first change would be here before this one.
    host.node.link(B, true).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    assert_eq!(lists(&kubelet), listed + 2, "one list for each change");
    assert_no_violations(&kubelet);
}

/// A Registration service on one unchanged socket that refuses a number of times before it does what kubelet does.
struct Grudging {
    folder: PathBuf,
    refusals: AtomicUsize,
    calls: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl Registration for Grudging {
    async fn register(&self, request: Request<pb::RegisterRequest>) -> Result<Response<pb::Empty>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let refuse = |left: usize| left.checked_sub(1);
        if self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
            .is_ok()
        {
            return Err(Status::unknown("not today"));
        }
        let socket = self.folder.join(&request.get_ref().endpoint);
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
        let channel = endpoint.origin(Uri::from_static("http://localhost")).connect().await;
        let mut plugin = DevicePluginClient::new(channel.unwrap());
        tokio::spawn(async move {
            let mut lists = plugin.list_and_watch(pb::Empty {}).await.unwrap().into_inner();
            while lists.message().await.is_ok_and(|list| list.is_some()) {}
        });
        Ok(Response::new(pb::Empty {}))
    }
}

#[tokio::test]
async fn refusals_of_one_kubelet_are_said_once_and_end_with_the_registration() {
    const REFUSALS: usize = 4;
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir(host.kubelet_dir()).unwrap();
    let socket = tokio::net::UnixListener::bind(host.kubelet_dir().join("kubelet.sock")).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let grudging = Grudging {
        folder: host.kubelet_dir(),
        refusals: AtomicUsize::new(REFUSALS),
        calls: Arc::clone(&calls),
    };
    let service = Server::builder().add_service(RegistrationServer::new(grudging));
    tokio::spawn(service.serve_with_incoming(UnixListenerStream::new(socket)));

    let daemon = host.start_at("info", &[]);
    // The service runs on this thread meanwhile.
    let waiting = move || {
        daemon.wait_for_log("registered with kubelet");
        daemon
    };
    let daemon = tokio::task::spawn_blocking(waiting).await.unwrap();
    let log = daemon.log();
    assert_eq!(calls.load(Ordering::SeqCst), REFUSALS + 1, "{log}");
    assert_eq!(log.matches("not today").count(), 1, "{log}");
    assert_eq!(host.plugin_sockets().len(), 1, "{:?}", host.plugin_sockets());
}

#[tokio::test]
async fn enable_cdi_takes_the_directory_or_a_file_in_it() {
    for file in ["", "/x.yaml"] {
        let host = DaemonFixture::new(&nics(1));
        let flag = format!("--enable-cdi={}{file}", host.path("elsewhere").display());
        let (_daemon, kubelet) = (host.start(&[&flag]), host.kubelet());
        wait_for(&kubelet, &[(A, true)]).await;
        let names: Vec<_> = fs::read_dir(host.path("elsewhere"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["hpe.com-cxi.yaml"], "{flag}");
        assert!(!host.spec_file().exists(), "{flag}");
        let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
        assert_eq!(answer.container_responses[0].cdi_devices.len(), 1, "{flag}");
    }
}

#[tokio::test]
async fn the_log_level_decides_what_is_said() {
    for (level, expected) in [("debug", 1), ("info", 0)] {
        let host = DaemonFixture::new(&nics(1));
        let (daemon, kubelet) = (host.start_at(level, &[]), host.kubelet());
        wait_for(&kubelet, &[(A, true)]).await;
        host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, &[(A, true), (B, true)]).await;
        let log = daemon.log();
        assert_eq!(log.matches("trigger: SIGHUP").count(), expected, "{level}: {log}");
        assert!(log.contains("INFO"), "{level}: {log}");
    }
}

#[tokio::test]
async fn a_nic_without_cxi_user_is_unhealthy_and_has_no_cdi_name() {
    let host = DaemonFixture::new(&nics(2));
    for lost in ["sys/class/cxi_user/cxi0", "dev/cxi0"] {
        fs::remove_file(host.node.root().join(lost)).unwrap();
    }
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    daemon.wait_for_log("unhealthy: present: not in class cxi_user");
    let spec = host.spec();
    assert!(
        spec.contains(B) && !spec.contains(A) && !spec.contains("cxi0"),
        "{spec}"
    );
    let refused = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap_err();
    assert!(refused.to_string().contains("has no device node"), "{refused}");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_drivers_older_name_is_ours_another_driver_hides_a_nic_and_no_driver_is_unhealthy() {
    let host = DaemonFixture::new(&nics(4));
    let bind = |address: &str, driver: &str| {
        let sys = host.node.root().join("sys/bus/pci");
        fs::create_dir(sys.join("drivers").join(driver)).unwrap();
        let link = sys.join("devices").join(address).join("driver");
        let _ = fs::remove_file(&link); // an unbound function has none
        symlink(format!("../../../../bus/pci/drivers/{driver}"), link).unwrap();
    };
    bind(A, "cxi_core");
    host.node.unbind(B).unwrap();
    bind(B, "vfio-pci");
    host.node.unbind(C).unwrap();
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (C, false), (D, true)]).await;
    daemon.wait_for_log("not offered: bound to driver vfio-pci");
    daemon.wait_for_log("unhealthy: present: no driver is bound");
    let spec = host.spec();
    assert!(spec.contains(A) && !spec.contains(B) && !spec.contains(C), "{spec}");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn a_large_request_leaves_no_memory_behind() {
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&["--pulse", "1"]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let anonymous = || -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    };
    kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    let before = anonymous();
    let ids: Vec<String> = (0..150_000).map(|number| format!("nobody-{number}")).collect();
    kubelet.allocate(RESOURCE, vec![ids]).await.unwrap_err();
    until(
        || anonymous() < before + 2048,
        || format!("{} kB, {before} kB before", anonymous()),
    );
}
