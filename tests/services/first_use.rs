//! What somebody meets who has never used `services`: each error says what to type next, and `--output json` is JSON everywhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use cxi_sim::driver::{Caller, Parameters};
use serde_json::{Value, json};

use super::common::{Output, node};
use super::host::{A, B, Host, ROOT, STAND_INS, stand_in};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_command_has_an_answer_for_programs() {
    let host = Host::new();
    let on = parsed(&host.ok(&["enable-default", "--output", "json"]));
    let nic = |address: &str, cxi: &str, enabled: Value, outcome: &str| json!({"address": address, "cxi": cxi, "enabled": enabled, "outcome": outcome, "error": null});
    let both = |enabled: bool, outcome: &str| {
        json!([
            nic(A, "cxi0", enabled.into(), outcome),
            nic(B, "cxi1", enabled.into(), outcome)
        ])
    };
    assert_eq!(on, both(true, "switched"));
    assert_eq!(
        parsed(&host.ok(&["enable-default", "--output", "json"])),
        both(true, "as-it-was")
    );
    assert_eq!(
        parsed(&host.ok(&["disable-default", "--output", "json"])),
        both(false, "switched")
    );
    let once = host.ok(&["enable-default", "--once", "--output", "json", "cxi0"]);
    assert_eq!(parsed(&once), json!([nic(A, "cxi0", false.into(), "stays-off")]));
    host.driver(0, |nic| nic.fail(Some(5)));
    let output = host.run(&["enable-default", "--output", "json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let failed = parsed(&output.stdout);
    assert_eq!(
        (&failed[0]["outcome"], &failed[0]["enabled"]),
        (&json!("failed"), &Value::Null)
    );
    assert!(failed[0]["error"].as_str().unwrap().contains("EIO"), "{failed}");
    assert_eq!(failed[1]["outcome"], "switched");
    host.driver(0, |nic| nic.fail(None));
    let file = host.file(
        "restricted_members: 1\nresource_limits: 1\nlimits: [{name: TLEs, max: 9, res: 9}]\nvnis: {vni: 20}\nmembers: [{type: netns, id: 7}]\n",
    );
    let planned = parsed(&host.ok(&["create", "--dry-run", "--output", "json", "--file", &file, "cxi0"]));
    assert_eq!(planned["nics"], json!([A]));
    assert_eq!(planned["members"], json!([{"type": "netns", "id": 7}]));
    assert_eq!(
        (&planned["vnis"], &planned["limits"]["TLEs"]),
        (&json!([20]), &json!({"max": 9, "reserved": 9}))
    );
    assert_eq!(planned["then"].as_array().unwrap().len(), 3);
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
    host.ok(&["create", "--file", &file, "cxi0"]);
    let gone = parsed(&host.ok(&["delete", "--output", "json", "cxi0", "2"]));
    assert_eq!(gone, json!({"address": A, "cxi": "cxi0", "id": 2}));
}

#[test]
fn the_list_takes_the_names_of_nics() {
    let host = Host::new();
    let listed = parsed(&host.ok(&["list", "--output", "json", "cxi1"]));
    let nics = listed["nics"].as_array().unwrap();
    assert_eq!((nics.len(), &nics[0]["address"]), (1, &json!(B)));
    // One that does not answer is no matter to who has not asked for it.
    host.driver(0, |nic| nic.fail(Some(5)));
    host.ok(&["list", "cxi1"]);
    host.fails(&["list", "cxi0"], &["1 of 1 NICs could not be asked"]);
}

#[test]
fn each_error_says_what_there_is_or_what_to_type() {
    let host = Host {
        caller: Caller {
            uid: 1000,
            is_admin: false,
            ..ROOT
        },
        ..Host::new()
    };
    let file = host.file("vnis: {vni: 20}\n");
    let there_is: &[&str] = &["no NIC is called 'cxi7'", "0000:21:00.0 (cxi0", "0000:61:00.0 (cxi1"];
    host.fails(&["list", "cxi7"], there_is);
    host.fails(&["enable-default", "cxi7"], there_is);
    host.fails(&["disable-default", "cxi7"], there_is);
    host.fails(&["create", "--file", &file, "cxi7"], there_is);
    host.fails(&["delete", "cxi7", "2"], there_is);
    host.fails(
        &["delete", "cxi0", "9"],
        &[
            "has no service 9; it has 1",
            "cxi-device-plugin services list 0000:21:00.0",
        ],
    );
    host.fails(&["enable-default", "cxi0"], &["EPERM", "as root on the host"]);
    host.fails(&["create", "--file", &file, "cxi0"], &["EPERM", "as root on the host"]);
    for (args, words) in [
        (vec!["create", "cxi0"], "--file <YAML>"),
        (vec!["create", "--file", &file], "<NIC>"),
        (vec!["delete", "cxi0"], "<ID>"),
        (vec!["delete", "cxi0", "two"], "invalid value 'two'"),
        (vec!["enable"], "enable-default"),
    ] {
        let output = host.run(&args);
        assert_eq!(output.code, 2, "{args:?}: {output:?}");
        assert!(output.stderr.contains(words), "{args:?}: {output:?}");
    }
}

#[test]
fn a_node_without_nics_says_where_to_look() {
    let (_folder, empty) = node(&[]);
    let run = |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        command.arg("services").args(args).arg("--root").arg(empty.root());
        command.output().unwrap().into()
    };
    let listed = run(&[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(
        listed
            .stdout
            .contains("no NIC has a device node: cxi-device-plugin devices"),
        "{listed:?}"
    );
    assert_eq!(parsed(&run(&["list", "--output", "json"]).stdout)["nics"], json!([]));
    let switched = run(&["enable-default"]);
    assert_eq!(switched.code, 1, "{switched:?}");
    assert!(switched.stderr.contains("cxi-device-plugin devices"), "{switched:?}");
    for args in [&["enable-default", "cxi0"][..], &["delete", "cxi0", "2"]] {
        let output = run(args);
        assert!(
            output.code == 1 && output.stderr.contains("no NIC is called 'cxi0'"),
            "{output:?}"
        );
    }
}

#[test]
fn the_table_has_everything_that_the_driver_tells() {
    let host = Host::new();
    let file = host.file(
        "restricted_members: 1\nrestricted_tcs: 1\nresource_limits: 1\nlimits: [{name: CTs, max: 4, res: 2}]\nvnis: {vni: 20}\nmembers: \
         [{type: uid, id: 1000}]\ntcs: {tc: LOW_LATENCY}\n",
    );
    host.ok(&["create", "--file", &file, "cxi0"]);
    host.ok(&[
        "create",
        "--file",
        &host.file("vnis: {vni_min: 64, vni_max: 127}\nexclusive_cp: 1\n"),
        "cxi0",
    ]);
    host.driver(0, |nic| nic.set_in_use(2, 4, 4));
    let table = host.ok(&["list", "cxi0"]);
    let line = |start: &str| {
        let found = table.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {table}")).to_owned()
    };
    let row = line("2   service");
    for words in ["on ", "uid 1000", "20", "low_latency"] {
        assert!(row.contains(words), "{words}: {table}");
    }
    assert!(line("3   service").contains("64-127 exclusive"), "{table}");
    assert!(table.contains("4/2/4"), "{table}");
    let services = host.services(A);
    assert_eq!(services[2]["exclusive_cp"], true);
    assert_eq!(services[1]["traffic_classes"], json!(["LOW_LATENCY"]));
}

/// What the optional rule starts for a NIC that comes, as the shipped files have it.
fn unit_of(cxi: &str) -> Vec<String> {
    let shipped = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let rule = shipped("packaging/udev-optional/61-cxi-default-service.rules");
    let (_, wanted) = rule.split_once("SYSTEMD_WANTS}+=\"").unwrap();
    let (wanted, _) = wanted.split_once('"').unwrap();
    assert_eq!(wanted.replace("%k", cxi), format!("cxi-default-service@{cxi}.service"));
    let unit = shipped("systemd/cxi-default-service@.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words = line.replace("%i", cxi);
    let words: Vec<&str> = words.split(' ').collect();
    let (program, args) = words.split_first().unwrap();
    assert_eq!(*program, "/usr/bin/cxi-device-plugin");
    args.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_nic_that_comes_is_switched_on_by_the_rule_once_and_not_without_it() {
    let host = Host::with(Parameters::default());
    let state = || {
        let listed = host.json();
        let nics = listed["nics"].as_array().unwrap();
        let nic = nics.iter().find(|nic| nic["address"] == A).unwrap().clone();
        (nic["services"][0]["enabled"] == true, nic["default_stays_off"] == true)
    };
    let start_unit = |cxi: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        command.args(unit_of(cxi)).arg("--root").arg(host.node.root());
        let output = host.supervised(command);
        assert_eq!(output.code, 0, "{output:?}");
    };
    // Another life of the NIC, with its driver's service off as at each probe.
    let bind_anew = || {
        host.node.unbind(A).unwrap();
        host.node.bind(A).unwrap();
        host.driver(0, |nic| *nic = cxi_sim::driver::Nic::new(Parameters::default()));
        let nics = host.node.nics().unwrap();
        let cxi = nics.iter().find(|nic| nic.pci == A).unwrap().cxi.unwrap();
        stand_in(&host.node, cxi as usize, STAND_INS[0].0, STAND_INS[0].1);
        format!("cxi{cxi}")
    };
    // Without the rule nobody starts the unit: it is off, and no admin has said so.
    bind_anew();
    assert_eq!(state(), (false, false));
    let cxi = bind_anew();
    start_unit(&cxi);
    assert_eq!(state(), (true, false));
    // An admin's word counts for the rest of this life, whoever starts the unit again, and everybody is told.
    host.other(0, 9, ROOT, 80, &[1, 0]).unwrap();
    start_unit(&cxi);
    assert_eq!(state(), (false, true));
    let table = host.ok(&["list", A]);
    assert!(
        table.contains("leaves it off; to switch it on: cxi-device-plugin services enable-default 0000:21:00.0"),
        "{table}"
    );
    let cxi = bind_anew();
    assert_eq!(state(), (false, false));
    start_unit(&cxi);
    assert_eq!(state(), (true, false));
}
