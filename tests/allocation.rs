//! What pods get: the answers to Allocate and GetPreferredAllocation, by strategy and by resource name.
#![cfg(test)]

mod common;

use std::fs;

use common::daemon::{A, B, C, D, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, wait_for};
use cxi_sim::kubelet::pb::ContainerAllocateResponse;
use cxi_sim::node::{Kind, NicSpec};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

fn cdi_names(container: &ContainerAllocateResponse) -> Vec<&str> {
    container
        .cdi_devices
        .iter()
        .map(|device| device.name.as_str())
        .collect()
}

/// Path in the container and on the host.
fn nodes(container: &ContainerAllocateResponse) -> Vec<(String, String)> {
    let devices = container.devices.iter().cloned();
    devices
        .map(|device| (device.container_path, device.host_path))
        .collect()
}

#[tokio::test]
async fn allocate_gives_exactly_what_was_asked_for_in_one_answer_a_container() {
    let host = DaemonFixture::new(&nics(3));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true), (C, true)]).await;
    let containers = vec![ids(&[C, A]), ids(&[B])];
    let answer = kubelet.allocate(RESOURCE, containers).await.unwrap();
    let nodes: Vec<_> = answer.container_responses.iter().map(nodes).collect();
    let node = |name: &str, address: &str| (format!("/dev/{name}"), format!("/dev/cxi-by-pci/{address}"));
    assert_eq!(nodes, [vec![node("cxi0", A), node("cxi2", C)], vec![node("cxi1", B)]]);
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
    let host = DaemonFixture::new(&nics(2));
    let (_daemon, kubelet) = (host.start(&["--enable-cdi"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let answer = kubelet.allocate(RESOURCE, vec![ids(&[B, A])]).await.unwrap();
    let container = &answer.container_responses[0];
    assert_eq!(
        cdi_names(container),
        [format!("hpe.com/cxi={A}"), format!("hpe.com/cxi={B}")]
    );
    assert!(container.devices.is_empty() && container.mounts.is_empty());
    assert_eq!(container.envs.len(), 1);
    assert!(!format!("{container:?}").contains("cxi0"), "{container:?}");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn unknown_and_repeated_devices_are_errors_that_name_them_and_the_next_pod_is_served() {
    let host = DaemonFixture::new(&nics(1));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    for (asked, expected) in [
        (vec![B], format!("unknown device '{B}'")),
        (vec!["cxi0"], "unknown device 'cxi0'".to_owned()),
        (vec![A, "../../dev/null"], "unknown device '../../dev/null'".to_owned()),
        (vec![A, A], format!("device '{A}' is asked for twice")),
    ] {
        let refused = kubelet
            .allocate(RESOURCE, vec![ids(&asked)])
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains(&expected), "{refused}");
    }
    for _ in 0..2 {
        assert!(
            kubelet.allocate(RESOURCE, vec![ids(&[A])]).await.is_ok(),
            "given again, as kubelet may ask"
        );
    }
}

#[tokio::test]
async fn with_cdi_each_container_gets_the_name_of_its_nic_and_no_other() {
    let host = DaemonFixture::new(&nics(3));
    let (_daemon, kubelet) = (host.start(&["--enable-cdi"]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true), (C, true)]).await;
    let answer = kubelet.allocate(RESOURCE, vec![ids(&[C]), ids(&[A])]).await.unwrap();
    let names: Vec<_> = answer.container_responses.iter().map(cdi_names).collect();
    assert_eq!(names, [[format!("hpe.com/cxi={C}")], [format!("hpe.com/cxi={A}")]]);
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn the_same_request_gets_the_same_mounts_in_the_same_order_and_only_what_containers_need() {
    let host = DaemonFixture::new(&nics(2));
    // Beside those that an emulated node has already.
    for decoy in ["usr/lib64/libcxi.a", "opt/cray/lib64/libfabric.la"] {
        fs::write(host.node.root().join(decoy), "no shared library").unwrap();
    }
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let one = kubelet.allocate(RESOURCE, vec![ids(&[A, B])]).await.unwrap();
    let other = kubelet.allocate(RESOURCE, vec![ids(&[A, B])]).await.unwrap();
    assert_eq!(one, other);
    let files: Vec<&str> = one.container_responses[0]
        .mounts
        .iter()
        .map(|mount| mount.host_path.as_str())
        .collect();
    let (fabric, cxi) = ("/opt/cray/lib64/libfabric.so.1.30.0", "/usr/lib64/libcxi.so.1.7.0");
    assert_eq!(
        files,
        [fabric, fabric, cxi, cxi],
        "each for the loaders of both families"
    );
    assert_eq!(daemon.warnings(), [""; 0]);
}

#[tokio::test]
async fn without_any_library_on_the_host_pods_get_their_nics_and_the_log_says_it_once() {
    let host = DaemonFixture::new(&nics(1));
    for folder in ["usr", "opt"] {
        fs::remove_dir_all(host.node.root().join(folder)).unwrap();
    }
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let answer = kubelet.allocate(RESOURCE, vec![ids(&[A])]).await.unwrap();
    let container = &answer.container_responses[0];
    assert_eq!(
        nodes(container),
        [("/dev/cxi0".to_owned(), format!("/dev/cxi-by-pci/{A}"))]
    );
    assert!(container.mounts.is_empty(), "{container:?}");
    // More looks at the same state: the new NIC shows that they are done.
    for expected in [&[(A, true), (B, true)][..], &[(A, true), (B, true), (C, true)]] {
        host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
        daemon.hang_up();
        wait_for(&kubelet, expected).await;
    }
    let log = daemon.log();
    // A look in the middle of an addition warns of that NIC, rightly.
    let mut warnings = daemon.warnings();
    warnings.retain(|line| !line.contains(" pci="));
    assert_eq!(warnings.len(), 2, "one for each library: {log}");
    for library in ["libfabric.so.1: not found", "libcxi.so.1: not found"] {
        assert!(warnings.iter().any(|line| line.contains(library)), "{log}");
    }
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn two_nics_for_a_pod_come_from_the_numa_node_that_has_both_free() {
    let host = DaemonFixture::new(&nics(4));
    let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
    let devices = wait_for(&kubelet, &[(A, true), (B, true), (C, true), (D, true)]).await;
    let numa: Vec<i64> = devices.iter().flat_map(|device| device.numa.clone()).collect();
    assert_eq!(numa, [0, 0, 1, 1]);
    kubelet.allocate_for(RESOURCE, "first", vec![ids(&[A])]).await.unwrap();
    let grant = kubelet.allocate_count(RESOURCE, "second", 2).await.unwrap();
    assert_eq!(grant.ids, [C, D], "by address alone it would be {B} and {C}");
    assert_no_violations(&kubelet);
}

#[tokio::test]
async fn another_resource_name_is_registered_and_names_the_variable() {
    const NAME: &str = "hpe.com/nic-2";
    let host = DaemonFixture::new(&nics(1));
    let (daemon, kubelet) = (host.start(&["--resource-name", NAME]), host.kubelet());
    let listed = kubelet.wait_for(NAME, PATIENCE, |devices| devices.len() == 1);
    assert!(listed.await.unwrap()[0].is_healthy(), "{}", daemon.log());
    assert_eq!(kubelet.registrations(RESOURCE), 0);
    let answer = kubelet.allocate(NAME, vec![ids(&[A])]).await.unwrap();
    let container = &answer.container_responses[0];
    assert_eq!(container.envs["PCIDEVICE_HPE_COM_NIC_2"], A);
    assert_eq!(container.envs.len(), 1, "{container:?}");
    assert_no_violations(&kubelet);
}
