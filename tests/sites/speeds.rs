//! Speeds: of the PCIe link in every kernel's words, of the fabric link against the card and the NICs beside it, and PCIe
//! errors from before anybody looked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::daemon::{A, B};
use crate::common::doctor_fixture::{DoctorFixture, Report};
use cxi_sim::node::NicSpec;

fn fixture(nics: &[&str]) -> DoctorFixture {
    let nics: Vec<NicSpec> = nics.iter().map(|nic| nic.parse().unwrap()).collect();
    DoctorFixture::new(&nics).with_static_spec()
}

fn set(fixture: &DoctorFixture, pci: &str, attributes: &[(&str, &str)]) {
    for (attribute, value) in attributes {
        fixture.host.node.set(pci, attribute, value.as_bytes()).unwrap();
    }
}

/// The conditions of this name that are found, by NIC, with the level and what is said.
fn found(report: &Report, id: &str) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report.findings().iter().filter(|finding| finding["id"] == id);
    let entry = |finding: &Value| {
        let subject = text(&finding["subject"]);
        let address = subject.split(' ').next().unwrap().to_owned();
        (address, (text(&finding["level"]), text(&finding["what"])))
    };
    findings.map(entry).collect()
}

fn unknown(report: &Report) -> String {
    report.value["unknown"].to_string()
}

#[test]
fn a_pcie_link_is_judged_in_every_kernels_words() {
    for (current, max, width, is_slow) in [
        ("16 GT/s", "16 GT/s", "16", false),
        ("8 GT/s", "16 GT/s", "16", true),
        ("8.0 GT/s PCIe", "16 GT/s", "x16", true),
        ("2.5 GT/s", "16.0 GT/s", "16", true),
        ("16.0 GT/s PCIe", "16 GT/s PCIe", "x16", false),
        ("16 GT/s", "16 GT/s", "x8", true),
        ("32 GT/s", "32.0 GT/s PCIe", "16", false),
    ] {
        let fixture = fixture(&["c1"]);
        let attributes = [
            ("current_link_speed", current),
            ("max_link_speed", max),
            ("current_link_width", width),
        ];
        set(&fixture, A, &attributes);
        let report = fixture.report();
        let slow = found(&report, "condition-pcie-link");
        assert_eq!(slow.contains_key(A), is_slow, "{attributes:?}: {slow:?}");
        assert!(!unknown(&report).contains("pcie-link"), "{}", unknown(&report));
    }
}

#[test]
fn a_pcie_link_without_a_maximum_is_judged_by_the_nics_beside_it() {
    for words in ["Unknown", "Unknown speed"] {
        let fixture = fixture(&["c1", "c1", "c2"]);
        for nic in [A, B] {
            set(&fixture, nic, &[("max_link_speed", words)]);
        }
        let report = fixture.report();
        assert!(
            found(&report, "condition-pcie-link").is_empty(),
            "as fast as the other one"
        );
        set(&fixture, B, &[("current_link_speed", "8.0 GT/s PCIe")]);
        let slow = found(&fixture.report(), "condition-pcie-link");
        assert_eq!(slow.keys().collect::<Vec<_>>(), [B], "{slow:?}");
        set(&fixture, B, &[("current_link_speed", words)]);
        let report = fixture.report();
        assert!(found(&report, "condition-pcie-link").is_empty());
        assert!(unknown(&report).contains("pcie-link"), "{}", unknown(&report));
    }
}

#[test]
fn a_fabric_link_slower_than_its_card_is_a_warning() {
    for (kind, attribute, slow, full) in [
        ("c1", "port/speed", "CD_100G", "BS_200G"),
        ("c1", "port/speed", "BJ_100G", "BS_200G"),
        ("c1", "port/speed", "CD_50G", "BS_200G"),
        ("c1", "properties/speed", "100000\n", "200000\n"),
        ("c1", "net/hsn0/speed", "100000\n", "200000\n"),
        ("c2", "net/hsn0/speed", "200000\n", "400000\n"),
        ("c2", "port/0/link/speed", "ck200G\n", "ck400G\n"),
        ("c2", "port/0/link/speed", "bs200G\n", "ck400G\n"),
    ] {
        let fixture = fixture(&[kind]);
        set(&fixture, A, &[(attribute, full)]);
        assert!(found(&fixture.report(), "condition-link-speed").is_empty());
        set(&fixture, A, &[(attribute, slow)]);
        let found = found(&fixture.report(), "condition-link-speed");
        let (level, what) = found
            .get(A)
            .unwrap_or_else(|| panic!("{kind} {attribute} {slow}: nothing"));
        assert_eq!(level, "warning");
        assert!(what.contains("slower"), "{what}");
    }
}

#[test]
fn what_is_no_speed_is_no_slow_link() {
    for (kind, attributes) in [
        ("c1", [("port/speed", "NA"), ("properties/speed", "-1\n")]),
        ("c1", [("port/speed", "invalid"), ("net/hsn0/speed", "-1\n")]),
        ("c1", [("port/speed", "BS_200G"), ("net/hsn0/speed", "4294967295\n")]),
        ("c2", [("port/0/link/speed", "unknown\n"), ("net/hsn0/speed", "0\n")]),
        ("c2", [("port/0/link/speed", "error\n"), ("net/hsn0/speed", "-1\n")]),
    ] {
        let fixture = fixture(&[kind]);
        set(&fixture, A, &attributes);
        assert!(
            found(&fixture.report(), "condition-link-speed").is_empty(),
            "{attributes:?}"
        );
    }
    // A link that is down has no speed, and that it is down is said already.
    let down = fixture(&["c2"]);
    down.host.node.link(A, false).unwrap();
    set(&down, A, &[("net/hsn0/speed", "100000\n")]);
    assert!(found(&down.report(), "condition-link-speed").is_empty());
}

#[test]
fn pcie_errors_from_before_the_first_look_are_a_note() {
    for (attribute, value) in [
        ("properties/pcie_uncorr_err", "3\n"),
        ("aer_dev_fatal", "Undefined 0\nDLP 3\nTOTAL_ERR_FATAL 3\n"),
        ("aer_dev_nonfatal", "Undefined 0\nTLP 3\nTOTAL_ERR_NONFATAL 3\n"),
    ] {
        let fixture = fixture(&["c1", "c1"]);
        assert!(found(&fixture.report(), "pcie-errors-earlier").is_empty());
        set(&fixture, A, &[(attribute, value)]);
        let report = fixture.report();
        let found = found(&report, "pcie-errors-earlier");
        assert_eq!(found.keys().collect::<Vec<_>>(), [A], "{attribute}");
        assert_eq!(found[A].0, "note");
        assert_eq!(report.code, 0, "a note asks nobody for anything");
        let evidence = report.value["findings"].to_string();
        assert!(evidence.contains(attribute), "{evidence}");
    }
}
