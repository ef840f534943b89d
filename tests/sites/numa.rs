//! The NUMA node of a NIC whose firmware names none: by the site's table, else by what hangs off the same PCIe root.

use std::fs;

use crate::common::daemon::{A, B, DaemonFixture, PATIENCE, RESOURCE};
use crate::common::doctor_fixture::DoctorFixture;
use cxi_sim::node::NicSpec;

const UNNAMED: [&str; 2] = ["c1,numa=-1", "c1,numa=3"];

fn host(configuration: &str) -> DaemonFixture {
    let nics: Vec<NicSpec> = UNNAMED.iter().map(|nic| nic.parse().unwrap()).collect();
    let host = DaemonFixture::new(&nics);
    host.configure(configuration);
    host
}

/// Another function at this place below `/sys/devices`, on this node.
fn sibling(host: &DaemonFixture, place: &str, node: &str) {
    let address = place.rsplit('/').next().unwrap();
    let directory = host.node.root().join("sys/devices").join(place);
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in [
        ("vendor", "0x1002\n"),
        ("device", "0x7408\n"),
        ("class", "0x038000\n"),
        ("numa_node", node),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
    let link = host.node.root().join("sys/bus/pci/devices").join(address);
    if link.symlink_metadata().is_err() {
        std::os::unix::fs::symlink(format!("../../../devices/{place}"), link).unwrap();
    }
}

async fn numa(host: &DaemonFixture) -> Vec<(String, Vec<i64>)> {
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    let listed = kubelet.wait_for(RESOURCE, PATIENCE, |devices| devices.len() == 2).await;
    listed.unwrap_or_else(|error| panic!("{error:?}:\n{}", daemon.log()));
    let devices = kubelet.devices(RESOURCE);
    assert_eq!(daemon.terminate().code(), Some(0));
    devices.into_iter().map(|device| (device.id, device.numa)).collect()
}

fn expected(a: &[i64], b: &[i64]) -> Vec<(String, Vec<i64>)> {
    vec![(A.to_owned(), a.to_vec()), (B.to_owned(), b.to_vec())]
}

#[tokio::test]
async fn a_nic_has_the_node_of_what_is_below_the_same_root() {
    let host = host("");
    assert_eq!(numa(&host).await, expected(&[], &[]), "nobody knows");
    // Of another root, and one that does not know either.
    sibling(&host, "pci0000:40/0000:40:00.0", "1\n");
    sibling(&host, "pci0000:20/0000:20:03.0", "-1\n");
    assert_eq!(numa(&host).await, expected(&[], &[]));
    sibling(&host, "pci0000:20/0000:20:03.1/0000:22:00.0", "2\n");
    assert_eq!(numa(&host).await, expected(&[2], &[3]));
    // The nearer one knows better.
    sibling(&host, "pci0000:20/0000:20:01.1/0000:21:00.7", "1\n");
    assert_eq!(numa(&host).await, expected(&[1], &[3]));
    // Two that are as near and at odds leave it open.
    sibling(&host, "pci0000:20/0000:20:01.1/0000:21:00.6", "0\n");
    assert_eq!(numa(&host).await, expected(&[], &[]));
}

#[tokio::test]
async fn the_table_of_the_site_counts_for_more_than_anything_else() {
    let table = format!("[numa]\n\"{A}\" = 5\n");
    assert_eq!(numa(&host(&table)).await, expected(&[5], &[3]));
    let both = format!("[numa]\n\"{A}\" = 0\n\"{B}\" = 1\n\"0001:21:00.0\" = 7\n");
    let host = host(&both);
    sibling(&host, "pci0000:20/0000:20:03.1/0000:22:00.0", "2\n");
    assert_eq!(numa(&host).await, expected(&[0], &[1]));
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_its_line() {
    for (table, expected) in [
        ("[numa]\n\"21:00.0\" = 3\n", "is not a PCI address"),
        ("[numa]\nhsn0 = 3\n", "is not a PCI address"),
        ("[numa]\n\"0000:21:00.0\" = \"3\"\n", "number"),
        ("[numa]\n\"0000:21:00.0\" = -1\n", "number"),
        ("[numa]\n\"0000:21:00.0\" = 1024\n", "number"),
        ("numa = 3\n", "must be a table"),
    ] {
        let fixture = DoctorFixture::one();
        fixture.write("etc/cxi-device-plugin/config.toml", table);
        let report = fixture.report();
        let said = report.value.to_string();
        assert!(report.ids().contains("configuration-invalid"), "{table}: {said}");
        assert!(said.contains(expected), "{table}: {said}");
    }
}

#[test]
fn the_doctor_and_devices_go_by_the_table_too() {
    let fixture = DoctorFixture::new(&["c1,numa=-1".parse().unwrap()]).with_static_spec();
    assert!(fixture.ids().contains("nic-numa-unknown"));
    fixture.write("etc/cxi-device-plugin/config.toml", &format!("[numa]\n\"{A}\" = 3\n"));
    assert!(!fixture.ids().contains("nic-numa-unknown"));
    let devices = super::commands::plugin(fixture.root(), &["devices", "--output", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&devices.stdout).unwrap();
    assert_eq!(listed["nics"][0]["numa"], 3, "{devices:?}");
}
