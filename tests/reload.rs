//! A configuration that is read anew while the daemon runs: a good one counts at once, on kubelet's one stream; a bad one
//! changes nothing; what takes a restart is named. And what single keys do.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::cc;
use common::daemon::{A, B, Daemon, DaemonFixture, PATIENCE, RESOURCE, assert_no_violations, nics, wait_for};
use cxi_sim::kubelet::Kubelet;
use cxi_sim::kubelet::pb::ContainerAllocateResponse;
use cxi_sim::node::{Kind, NicSpec};

/// Writes a drop-in, which goes over the file.
fn configure(host: &DaemonFixture, text: &str) {
    let folder = host.path("config.d");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("50-test.toml"), text).unwrap();
}

/// With this drop-in from the beginning, and with a kubelet that has these NICs as healthy.
async fn started(text: &str, ids: &[(&str, bool)]) -> (DaemonFixture, Daemon, Kubelet) {
    let host = DaemonFixture::new(&nics(2));
    configure(&host, text);
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, ids).await;
    (host, daemon, kubelet)
}

async fn answer(kubelet: &Kubelet, id: &str) -> ContainerAllocateResponse {
    let answer = kubelet.allocate(RESOURCE, vec![vec![id.to_owned()]]).await.unwrap();
    answer.container_responses.into_iter().next().unwrap()
}

fn assert_one_stream(kubelet: &Kubelet) {
    assert_eq!(kubelet.registrations(RESOURCE), 1);
    assert_eq!(kubelet.open_streams(RESOURCE), 1);
    assert_no_violations(kubelet);
}

const BOTH: &[(&str, bool)] = &[(A, true), (B, true)];

#[tokio::test]
async fn a_bad_file_is_refused_whole_with_its_line_and_the_node_is_looked_at_all_the_same() {
    let (host, daemon, kubelet) = started("[container.env]\nMODE = \"old\"\n", BOTH).await;
    configure(
        &host,
        "exclude = [\"0000:61:00.0\"]\n[container.env]\nMODE = \"new\"\n[health]\nlnik = \"warn\"\n",
    );
    host.node.unbind(A).unwrap();
    daemon.look();
    wait_for(&kubelet, &[(A, false), (B, true)]).await;
    let log = daemon.log();
    assert!(log.contains("the configuration stays as it was"), "{log}");
    assert!(
        log.contains("50-test.toml:5:1: health.lnik: unknown key; did you mean link?"),
        "{log}"
    );
    assert_eq!(answer(&kubelet, B).await.envs["MODE"], "old");
    assert!(host.spec().contains("MODE=old"), "{}", host.spec());
    // Put right, it counts.
    configure(
        &host,
        "exclude = [\"0000:21:00.0\"]\n[container.env]\nMODE = \"new\"\n[health]\nlink = \"warn\"\n",
    );
    daemon.look();
    wait_for(&kubelet, &[(B, true)]).await;
    assert_eq!(answer(&kubelet, B).await.envs["MODE"], "new");
    assert_one_stream(&kubelet);
}

#[tokio::test]
async fn a_good_file_counts_at_once_for_environment_exclusion_strategy_names_and_format() {
    let (host, daemon, kubelet) = started("", BOTH).await;
    assert!(!answer(&kubelet, A).await.envs.contains_key("MODE"));
    configure(&host, "[container.env]\nMODE = \"1\"\n");
    daemon.look();
    daemon.wait_for_log("now in effect: container.env.MODE");
    assert_eq!(answer(&kubelet, A).await.envs["MODE"], "1");

    configure(
        &host,
        "[allocation]\nstrategy = \"cdi\"\n[cdi]\nnames = [\"pci\"]\nall = false\nformat = \"json\"\n",
    );
    daemon.look();
    let by_name = answer(&kubelet, A).await;
    assert!(
        by_name.devices.is_empty() && !by_name.envs.contains_key("MODE"),
        "{by_name:?}"
    );
    assert_eq!(by_name.cdi_devices[0].name, format!("hpe.com/cxi={A}"));
    assert!(!host.spec_file().exists(), "two files would be a conflict");
    let spec = fs::read_to_string(host.path("cdi/hpe.com-cxi.json")).unwrap();
    assert!(
        spec.contains(A) && !spec.contains("\"all\"") && !spec.contains("\"cxi0\""),
        "{spec}"
    );

    configure(
        &host,
        "exclude = [\"hsn1\", \"0000:ff:00.0\"]\n[allocation]\nstrategy = \"direct\"\n",
    );
    daemon.look();
    wait_for(&kubelet, &[(A, true)]).await;
    let reason = "not offered: kept for the host by 'exclude' of the configuration (hsn1)";
    daemon.wait_for_log(reason);
    host.wait_for_spec(|spec| spec.contains(A) && !spec.contains(B));

    configure(&host, "");
    daemon.look();
    wait_for(&kubelet, BOTH).await;
    host.wait_for_spec(|spec| spec.contains(A) && spec.contains(B) && spec.contains("name: all"));
    assert_one_stream(&kubelet);
}

#[tokio::test]
async fn what_a_condition_does_changes_with_the_file() {
    let (host, daemon, kubelet) = started("", BOTH).await;
    host.node.link(B, false).unwrap();
    daemon.look();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    configure(&host, "[health]\nlink = \"warn\"\n");
    daemon.look();
    wait_for(&kubelet, BOTH).await;
    configure(&host, "[health]\nlink = \"ignore\"\nhold_up = \"1m\"\n");
    daemon.look();
    configure(&host, "");
    daemon.look();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    assert_one_stream(&kubelet);
}

#[tokio::test]
async fn the_log_level_of_the_file_changes_while_the_daemon_runs() {
    let host = DaemonFixture::new(&nics(1));
    configure(&host, "[log]\nlevel = \"info\"\n");
    let (daemon, kubelet) = (host.start_without_level(), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    assert!(!daemon.log().contains("DEBUG"), "{}", daemon.log());
    configure(&host, "[log]\nlevel = \"debug\"\n");
    daemon.hang_up();
    daemon.wait_for_log("trigger: SIGHUP");
    daemon.wait_for_log("now in effect: log.level");
}

#[tokio::test]
async fn what_takes_a_restart_is_named_each_time_and_changes_nothing_until_then() {
    let (host, daemon, kubelet) = started("", BOTH).await;
    // A flag wins over the file, so the resource is what a file can change here.
    let file = "[[resource]]\nname = \"beta.hpe.com/other\"\n[log]\nformat = \"json\"\n[container.env]\nMODE = \"1\"\n";
    configure(&host, file);
    for times in 1..=2 {
        daemon.look();
        let late = daemon
            .log()
            .matches("in effect only after a restart: log.format, resource[0].name")
            .count();
        assert_eq!(late, times, "{}", daemon.log());
    }
    assert_eq!(answer(&kubelet, A).await.envs["MODE"], "1");
    assert_one_stream(&kubelet);
    assert!(daemon.terminate().success());
    let _daemon = host.start(&[]);
    let other = |kubelet: &Kubelet| kubelet.registrations("beta.hpe.com/other") == 1;
    assert!(kubelet.wait_until(PATIENCE, other).await);
}

#[tokio::test]
async fn kubelet_is_not_served_where_it_is_switched_off_and_missed_where_it_is_expected() {
    let host = DaemonFixture::new(&nics(1));
    configure(&host, "[kubelet]\nenabled = false\n");
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    host.wait_for_spec(|spec| spec.contains(A));
    daemon.wait_for_log("kubelet is not served: kubelet.enabled is false");
    daemon.look();
    assert_eq!(kubelet.registrations(RESOURCE), 0);
    assert_eq!(host.plugin_sockets(), Vec::<String>::new());
    assert!(daemon.terminate().success());
    drop(kubelet);

    let host = DaemonFixture::new(&nics(1));
    configure(&host, "[kubelet]\nenabled = true\n");
    let daemon = host.start(&[]);
    daemon.wait_for_log("waiting for kubelet.sock");
    let log = daemon.log();
    let line = log
        .lines()
        .find(|line| line.contains("waiting for kubelet.sock"))
        .unwrap();
    assert!(line.contains("WARN"), "{line}");
}

#[tokio::test]
async fn devices_and_libraries_of_the_file_are_in_the_answer_and_missing_ones_are_said() {
    let text = "[container]\ndevices = [\"/dev/infiniband/uverbs0\", \"/dev/absent\", \"/dev/nowhere?\"]\n\
                [libraries]\nmode = \"none\"\nextra = [\"/opt/site/libsite.so.1\", \"/opt/site/libgone.so\"]\n";
    let host = DaemonFixture::new(&nics(1));
    fs::create_dir_all(host.node.root().join("dev/infiniband")).unwrap();
    symlink("/dev/full", host.node.root().join("dev/infiniband/uverbs0")).unwrap();
    let library = cc::Library {
        soname: "libsite.so.1",
        ..cc::PLAIN
    };
    library.make(&host.node.root().join("opt/site"));
    configure(&host, text);
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let answer = answer(&kubelet, A).await;
    let devices: Vec<&str> = answer
        .devices
        .iter()
        .map(|device| device.container_path.as_str())
        .collect();
    assert_eq!(devices, ["/dev/infiniband/uverbs0", "/dev/cxi0"]);
    let mounts: Vec<&str> = answer.mounts.iter().map(|mount| mount.host_path.as_str()).collect();
    assert_eq!(
        mounts, ["/opt/site/libsite.so.1"; 2],
        "for the loaders of both families"
    );
    daemon.wait_for_log("/dev/absent: no such device node");
    daemon.wait_for_log("/opt/site/libgone.so");
    let log = daemon.log();
    assert!(!log.contains("nowhere"), "{log}");
    assert_no_violations(&kubelet);
}

/// Only when it is read it shows that a library takes the place of the image's C library.
#[tokio::test]
async fn a_library_of_the_file_that_says_it_is_libc_is_left_out_and_said() {
    let text = "[libraries]\nmode = \"none\"\nextra = [\"/opt/site/libsite.so.1\"]\n";
    let host = DaemonFixture::new(&nics(1));
    let library = cc::Library {
        soname: "libc.so.6",
        ..cc::PLAIN
    };
    let site = host.node.root().join("opt/site");
    fs::rename(library.make(&site), site.join("libsite.so.1")).unwrap();
    configure(&host, text);
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    assert_eq!(answer(&kubelet, A).await.mounts, []);
    let log = daemon.log();
    assert!(log.contains("libc.so.6 belongs to the C library"), "{log}");
}

#[tokio::test]
async fn virtual_functions_are_offered_where_the_resource_selects_them() {
    let vf = "0000:21:00.1";
    for (function, expected) in [
        ("pf", &[(A, true)][..]),
        ("vf", &[(vf, true)]),
        ("all", &[(A, true), (vf, true)]),
    ] {
        let pf = NicSpec::new(Kind::Cassini1);
        let host = DaemonFixture::new(&[pf.pci(A), NicSpec::new(Kind::Cassini1Vf).pci(vf)]);
        configure(
            &host,
            &format!("[[resource]]\nselect = {{ function = \"{function}\" }}\n"),
        );
        let (_daemon, kubelet) = (host.start(&[]), host.kubelet());
        wait_for(&kubelet, expected).await;
        host.wait_for_spec(|spec| {
            [A, vf]
                .iter()
                .all(|id| spec.contains(id) == expected.contains(&(id, true)))
        });
        let (id, _) = expected[0];
        assert_eq!(answer(&kubelet, id).await.envs["PCIDEVICE_BETA_HPE_COM_CXI"], id);
        assert_no_violations(&kubelet);
    }
}
