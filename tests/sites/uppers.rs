//! Devices above a NIC's netdev: where the host's address is on one of them, the host needs the netdev.

use std::collections::BTreeSet;

use crate::common::doctor_fixture::DoctorFixture;

const HEADING: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

/// A NIC, podman and Multus.
fn fixture() -> DoctorFixture {
    let fixture = DoctorFixture::podman();
    fixture.write("etc/cni/net.d/00-multus.conf", r#"{"type": "multus"}"#);
    fixture
}

/// Puts `upper` above `lower`, as the kernel shows it; a master is above it as a whole.
fn above(fixture: &DoctorFixture, upper: &str, lower: &str, is_master: bool) {
    let class = format!("sys/class/net/{upper}");
    if !fixture.path(&class).exists() {
        fixture.write(&format!("sys/devices/virtual/net/{upper}/ifindex"), "77\n");
        fixture.link(&class, &format!("../../devices/virtual/net/{upper}"));
    }
    let target = fixture.path(&class).canonicalize().unwrap();
    let target = target.to_str().unwrap();
    fixture.link(&format!("sys/class/net/{lower}/upper_{upper}"), target);
    if is_master {
        fixture.link(&format!("sys/class/net/{lower}/master"), target);
    }
}

fn route(fixture: &DoctorFixture, device: &str) {
    let line = format!("{device}\t0000FD0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n");
    fixture.write("proc/net/route", &format!("{HEADING}{line}"));
}

fn is_found(fixture: &DoctorFixture) -> bool {
    fixture.ids().contains("netdev-used-by-host")
}

#[test]
fn an_address_on_whatever_is_above_a_netdev_is_a_use_of_it() {
    for (upper, is_master) in [
        ("bond0", true),
        ("team0", true),
        ("br0", true),
        ("vrf-hsn", true),
        ("macvlan0", false),
        ("hsn0.100", false),
        ("ipvl0", false),
    ] {
        let fixture = fixture();
        above(&fixture, upper, "hsn0", is_master);
        route(&fixture, upper);
        let report = fixture.report();
        assert!(is_found(&fixture), "{upper}: {:?}", report.ids());
        let findings = report.findings().iter();
        let mut named = findings.filter(|finding| finding["id"] == "netdev-used-by-host");
        let evidence = named.next().unwrap()["evidence"].to_string();
        assert!(
            evidence.contains(&format!("upper_{upper}")) && evidence.contains("/proc/net/route"),
            "{upper}: {evidence}"
        );
    }
}

#[test]
fn an_ipv6_address_counts_and_so_does_one_far_above() {
    let fixture = fixture();
    above(&fixture, "bond0", "hsn0", true);
    above(&fixture, "bond0.7", "bond0", false);
    above(&fixture, "br7", "bond0.7", true);
    fixture.write(
        "proc/net/if_inet6",
        "fd000000000000000000000000000012 03 40 00 80 br7\n",
    );
    assert!(is_found(&fixture));
    let report = fixture.report();
    assert!(
        report.value.to_string().contains("upper_br7"),
        "the way to the address is told: {}",
        report.value
    );
}

#[test]
fn what_the_host_has_made_a_part_of_another_device_is_used_even_where_no_table_has_an_address() {
    // The routes of a VRF are in a table of its own, and a bridge carries what it carries without one.
    for upper in ["vrf-hsn", "br0", "bond0"] {
        let fixture = fixture();
        above(&fixture, upper, "hsn0", true);
        assert!(is_found(&fixture), "{upper}");
    }
}

#[test]
fn what_is_not_above_a_netdev_of_ours_is_no_use_of_it() {
    let fixture = fixture();
    // The ipvlan of a container is in another network namespace: here there is no such device and no address.
    fixture.link("sys/class/net/hsn0/upper_ipvl0", "../../../../virtual/net/ipvl0");
    above(&fixture, "macvlan0", "hsn0", false);
    above(&fixture, "bond0", "eth0", true);
    route(&fixture, "bond0");
    let other: BTreeSet<String> = ["multus-configured".to_owned()].into();
    assert_eq!(fixture.ids(), other);
}

#[test]
fn devices_in_a_circle_end() {
    let fixture = fixture();
    above(&fixture, "a0", "hsn0", false);
    above(&fixture, "b0", "a0", false);
    above(&fixture, "a0", "b0", false);
    assert!(!is_found(&fixture));
    route(&fixture, "b0");
    assert!(is_found(&fixture));
}
