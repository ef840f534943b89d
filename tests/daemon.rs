//! The daemon's life at its borders: kubelet's directory, the CDI directory, signals, exit codes, the log.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use common::daemon::{Host, PATIENCE, RESOURCE, assert_no_violations, wait_for};
use cxi_sim::node::{Kind, NicSpec, Variant};
use nix::sys::signal::Signal;

const A: &str = "0000:21:00.0";
const B: &str = "0000:61:00.0";
const C: &str = "0000:a1:00.0";

fn nics(count: usize) -> Vec<NicSpec> {
    vec![NicSpec::new(Kind::Cassini1); count]
}

#[tokio::test]
async fn it_waits_for_kubelet_without_failing_and_writes_the_spec_meanwhile() {
    let host = Host::new(&nics(2));
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
    let host = Host::new(&nics(1));
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
        let host = Host::new(&nics(1));
        let mut daemon = host.start(&[]);
        daemon.wait_for_log("waiting for kubelet.sock in");
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
    }
}

#[tokio::test]
async fn the_socket_is_for_root_only_and_tells_resource_and_process() {
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(1));
    let (mut daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let second = host.command().output().unwrap();
    assert_eq!(second.status.code(), Some(75));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another instance is running (pid "), "{said}");
    assert!(daemon.is_running());
    assert_eq!(kubelet.registrations(RESOURCE), 1);
    assert_eq!(host.plugin_sockets().len(), 1);
}

#[tokio::test]
async fn sockets_of_the_dead_are_removed_and_those_of_the_living_and_of_others_are_not() {
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(2));
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
    let host = Host::new(&nics(1));
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let lists = |kubelet: &cxi_sim::kubelet::Kubelet| {
        kubelet
            .transcript()
            .iter()
            .filter(|line| line.text.contains("\"list\""))
            .count()
    };
    let before = lists(&kubelet);
    host.node.rebind(A).unwrap();
    daemon.hang_up();
    host.wait_for_spec(|spec| spec.contains("path: /dev/cxi1\n"));
    let answer = kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.unwrap();
    assert_eq!(answer.container_responses[0].devices[0].container_path, "/dev/cxi1");
    assert_eq!(lists(&kubelet), before, "the device and its health are the same");
}

#[tokio::test]
async fn a_node_without_nics_registers_with_an_empty_list_and_the_driver_may_come_later() {
    let host = Host::new(&[]);
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
    common::daemon::until(
        || !host.spec_file().exists(),
        || "the spec of a node without NICs is still there".to_owned(),
    );
}

#[tokio::test]
async fn allocate_gives_exactly_what_was_asked_for_in_one_answer_a_container() {
    let host = Host::new(&nics(3));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true), (C, true)]).await;
    let containers = vec![vec![C.to_owned(), A.to_owned()], vec![B.to_owned()]];
    let answer = kubelet.allocate(RESOURCE, containers).await.unwrap();
    let nodes = |index: usize| -> Vec<String> {
        answer.container_responses[index]
            .devices
            .iter()
            .map(|device| device.host_path.clone())
            .collect()
    };
    assert_eq!(answer.container_responses.len(), 2);
    assert_eq!(
        (nodes(0), nodes(1)),
        (
            vec!["/dev/cxi0".to_owned(), "/dev/cxi2".to_owned()],
            vec!["/dev/cxi1".to_owned()]
        )
    );
    let first = &answer.container_responses[0];
    assert_eq!(first.envs["PCIDEVICE_BETA_HPE_COM_CXI"], format!("{A},{C}"));
    assert_eq!(
        first.mounts.len(),
        4,
        "libfabric and libcxi, for the loaders of both families"
    );
    assert!(first.mounts.iter().all(|mount| mount.read_only));
    assert!(first.devices.iter().all(|device| device.permissions == "rw"));
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_cdi_strategy_names_the_addresses_and_nothing_that_moves() {
    let host = Host::new(&nics(2));
    let (_daemon, kubelet) = (host.start(&["--enable-cdi"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let answer = kubelet
        .allocate(RESOURCE, vec![vec![B.to_owned(), A.to_owned()]])
        .await
        .unwrap();
    let container = &answer.container_responses[0];
    let names: Vec<&str> = container
        .cdi_devices
        .iter()
        .map(|device| device.name.as_str())
        .collect();
    assert_eq!(names, [format!("hpe.com/cxi={A}"), format!("hpe.com/cxi={B}")]);
    assert!(container.devices.is_empty() && container.mounts.is_empty());
    assert_eq!(container.envs.len(), 1);
    assert!(!format!("{container:?}").contains("cxi0"), "{container:?}");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn unknown_and_repeated_devices_are_errors_that_name_them_and_the_next_pod_is_served() {
    let host = Host::new(&nics(1));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    for (ids, expected) in [
        (vec![B], format!("unknown device '{B}'")),
        (vec!["cxi0"], "unknown device 'cxi0'".to_owned()),
        (vec![A, "../../dev/null"], "unknown device '../../dev/null'".to_owned()),
        (vec![A, A], format!("device '{A}' is asked for twice")),
    ] {
        let ids = ids.into_iter().map(str::to_owned).collect();
        let refused = kubelet.allocate(RESOURCE, vec![ids]).await.unwrap_err().to_string();
        assert!(refused.contains(&expected), "{refused}");
    }
    for _ in 0..2 {
        assert!(
            kubelet.allocate(RESOURCE, vec![vec![A.to_owned()]]).await.is_ok(),
            "given again, as kubelet may ask"
        );
    }
}

#[tokio::test]
async fn an_unhealthy_nic_stays_unhealthy_over_reconnects() {
    let host = Host::new(&[NicSpec::new(Kind::Cassini1).variant(Variant::V14)]);
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
    let host = Host::new(&nics(1));
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
    let host = Host::new(&nics(1));
    fs::write(host.path("cdi"), "a file where the directory should be").unwrap();
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
}

#[test]
fn bad_configuration_ends_with_78_and_wrong_usage_with_2() {
    let host = Host::new(&[]);
    let run = |flags: &[&str]| {
        let output = host.command().args(flags).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&["--sysfs-root", "/absent"]);
    assert_eq!(code, Some(78), "{said}");
    let (code, said) = run(&["--env-vars", "/absent"]);
    assert!(code == Some(78) && said.contains("/absent"), "{said}");
    for flags in [
        &["--resource-name", "cxi"][..],
        &["--enable-cdi", "/etc/cdi"],
        &["--frobnicate"],
    ] {
        let (code, said) = run(flags);
        assert_eq!(code, Some(2), "{flags:?}: {said}");
    }
}
