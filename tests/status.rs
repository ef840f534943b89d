//! What an admin is told of a running daemon and of the NICs: `status.json`, `status`, `devices`, `explain`, `cordon`.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::Output;
use common::daemon::{A, B, DaemonFixture, RESOURCE, nics, until, wait_for};
use common::listing;
use cxi_sim::node::{Kind, NicSpec};
use serde_json::Value;

fn host() -> DaemonFixture {
    DaemonFixture::new(&[NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)])
}

/// A command of an admin beside the daemon.
fn command(host: &DaemonFixture, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
        command.env_remove(variable);
    }
    command.args(args).arg("--run-dir").arg(host.path("run"));
    if args[0].ends_with("cordon") {
        // One that is given is not made.
        fs::create_dir_all(host.path("run")).unwrap();
    }
    if args[0] != "status" {
        command.arg("--root").arg(host.node.root());
    }
    command.output().unwrap().into()
}

fn json(host: &DaemonFixture, args: &[&str]) -> Value {
    let output = command(host, &[args, &["--output", "json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn record(host: &DaemonFixture) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(host.path("run/status.json")).ok()?).ok()
}

/// Waits for the record to be so.
fn wait_for_record(host: &DaemonFixture, wanted: impl Fn(&Value) -> bool) -> Value {
    until(
        || record(host).is_some_and(|record| wanted(&record)),
        || format!("{:?}", record(host)),
    );
    record(host).unwrap()
}

fn nic<'a>(record: &'a Value, address: &str) -> &'a Value {
    let nics = record["nics"].as_array().unwrap();
    nics.iter().find(|nic| nic["address"] == address).unwrap()
}

fn condition<'a>(nic: &'a Value, check: &str) -> &'a Value {
    let conditions = nic["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["check"] == check).unwrap()
}

#[tokio::test]
async fn the_record_follows_kubelet_and_the_node() {
    let host = host();
    let daemon = host.start(&[]);
    let first = wait_for_record(&host, |record| record["kubelet"]["state"] == "waiting");
    assert_eq!((&first["schema"], &first["pid"]), (&1.into(), &daemon.pid().into()));
    assert_eq!(first["resources"][0]["name"], RESOURCE);
    assert_eq!(first["resources"][0]["strategy"], "direct");
    assert_eq!(first["cdi"]["file"], host.spec_file().to_str().unwrap());
    assert_eq!(first["sources"].as_array().unwrap().len(), 4);
    let of_nic = nic(&first, A);
    for (key, value) in [
        ("cxi", "cxi0"),
        ("netdev", "hsn0"),
        ("mac", "02:00:00:00:00:12"),
        ("driver", "cxi_ss1"),
    ] {
        assert_eq!(of_nic[key], value, "{of_nic}");
    }
    assert_eq!(
        (&of_nic["nid"], &of_nic["healthy"], &of_nic["withheld"]),
        (&0x12.into(), &true.into(), &Value::Null)
    );

    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_record(&host, |record| record["kubelet"]["state"] == "registered");
    host.node.fatal_error(B).unwrap();
    daemon.hang_up();
    let after = wait_for_record(&host, |record| nic(record, B)["healthy"] == false);
    let (failed, was) = (
        condition(nic(&after, B), "pci-enabled"),
        condition(nic(&first, B), "pci-enabled"),
    );
    assert_eq!((&was["verdict"], &failed["verdict"]), (&"ok".into(), &"fail".into()));
    assert_eq!(failed["evidence"][0]["value"], "0", "{failed}");
    assert_eq!(
        condition(nic(&after, A), "link")["since"],
        condition(nic(&first, A), "link")["since"]
    );
    assert!(daemon.terminate().success());
    assert!(record(&host).is_none(), "nothing runs, so nothing is said");
}

#[test]
fn looks_without_news_write_nothing() {
    let host = host();
    let daemon = host.start(&[]);
    // What the drivers say of services comes later, and is in it; so do the cards' texts, which are not.
    wait_for_record(&host, |record| !record.to_string().contains("no answer yet"));
    daemon.wait_until_settled();
    let looks = || daemon.log().matches("looked at the node").count();
    let (before, count) = (listing(&host.path("run")), looks());
    for further in 1..4 {
        daemon.hang_up();
        until(|| looks() >= count + further, || daemon.log());
    }
    assert_eq!(listing(&host.path("run")), before);
}

#[test]
fn the_reason_is_the_same_everywhere() {
    let host = host();
    let daemon = host.start(&[]);
    wait_for_record(&host, |_| true);
    host.node.fatal_error(A).unwrap();
    daemon.hang_up();
    let record = wait_for_record(&host, |record| nic(record, A)["healthy"] == false);
    let failed = condition(nic(&record, A), "pci-enabled");
    let (reason, read) = (failed["reason"].as_str().unwrap(), &failed["evidence"][0]);
    let (path, value) = (read["path"].as_str().unwrap(), read["value"].as_str().unwrap());
    let line = format!("unhealthy: pci-enabled: {reason} ({path} = {value})");
    let named = |args: &[&str]| command(&host, args).stdout;
    for text in [
        daemon.log(),
        named(&["status"]),
        named(&["devices"]),
        named(&["explain", "hsn0"]),
    ] {
        assert!(text.contains(&line), "no '{line}' in:\n{text}");
    }
}

#[test]
fn explain_says_what_to_type_and_whose_view_it_is() {
    let host = host();
    host.node.link(A, false).unwrap();
    let alone = command(&host, &["explain", "cxi0"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    for part in [
        "as it looks now; no daemon runs",
        "link            fail",
        "cxi_stat -d cxi0",
        "properties/link = 0",
    ] {
        assert!(alone.stdout.contains(part), "no '{part}' in:\n{}", alone.stdout);
    }
    assert_eq!(json(&host, &["explain", A])["daemon_pid"], Value::Null);
    fs::create_dir(host.path("config.d")).unwrap();
    fs::write(host.path("config.d/hold.toml"), "[health]\nhold_down = \"1h\"\n").unwrap();
    let daemon = host.start(&[]);
    wait_for_record(&host, |_| true);
    for name in [A, "cxi0", "0", "hsn0"] {
        let explained = json(&host, &["explain", name]);
        assert_eq!(explained["daemon_pid"], daemon.pid(), "{explained}");
        assert_eq!(explained["nic"]["address"], A);
        let remedies = explained["remedies"].as_array().unwrap();
        assert!(remedies.iter().any(|remedy| remedy["check"] == "link"), "{explained}");
    }
    // The daemon holds back what may pass; a look of its own would not know that.
    host.node.link(B, false).unwrap();
    daemon.hang_up();
    let held = wait_for_record(&host, |record| condition(nic(record, B), "link")["held"] != Value::Null);
    assert_eq!(condition(nic(&held, B), "link")["verdict"], "ok");
    assert!(
        command(&host, &["explain", B])
            .stdout
            .contains("not published yet: fail")
    );
}

#[test]
fn a_daemon_that_is_not_there_is_told_from_one_that_is() {
    let host = host();
    let none = command(&host, &["status"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(
        none.stderr.contains("is not running") && none.stderr.contains("systemctl start"),
        "{none:?}"
    );
    let daemon = host.start(&[]);
    wait_for_record(&host, |_| true);
    let one = command(&host, &["status"]);
    assert_eq!(one.code, 0, "{one:?}");
    assert!(one.stdout.contains(&format!("runs as pid {}", daemon.pid())), "{one:?}");
    daemon.kill();
    assert!(record(&host).is_some(), "left behind");
    assert_eq!(command(&host, &["status"]).code, 1);
    // The next one has not written yet, or cannot.
    let stale = fs::read_to_string(host.path("run/status.json")).unwrap();
    let daemon = host.start(&[]);
    // What it asks in the background has come: then it writes no more.
    let is_last = |record: &Value| record["pid"] == daemon.pid() && !record.to_string().contains("no answer yet");
    wait_for_record(&host, is_last);
    for (text, expected) in [
        (stale.as_str(), "is of an earlier one"),
        ("{\"schema\": 99}", "schema 99"),
        ("garbage", "not a record of ours"),
    ] {
        fs::write(host.path("run/status.json"), text).unwrap();
        let output = command(&host, &["status"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains(expected), "{output:?}");
    }
}

#[test]
fn a_record_that_cannot_be_written_is_one_warning_and_tried_again() {
    let host = host();
    fs::create_dir(host.path("run")).unwrap();
    symlink("/nowhere", host.path("run/status.json")).unwrap();
    let daemon = host.start(&["--pulse", "1"]);
    let warning = "status will not know of this daemon";
    daemon.wait_for_log(warning);
    let looks = || daemon.log().matches("looked at the node").count();
    let count = looks();
    until(|| looks() > count + 1, || daemon.log());
    assert_eq!(daemon.log().matches(warning).count(), 1, "{}", daemon.log());
    fs::remove_file(host.path("run/status.json")).unwrap();
    wait_for_record(&host, |record| record["pid"] == daemon.pid());
}

#[tokio::test]
async fn a_cordoned_nic_gets_no_new_pod_until_it_is_uncordoned() {
    let host = host();
    let cordon = |reason| command(&host, &["cordon", "hsn1", "--reason", reason]);
    // Without a daemon, as before its start.
    assert_eq!(cordon("first").code, 0);
    let kubelet = host.kubelet();
    let daemon = host.start(&[]);
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    daemon.wait_for_log("cordoned by an admin: first");
    let again = cordon("cable, ticket 4711");
    assert_eq!(again.code, 0, "{again:?}");
    let file = host.path("run/cordoned").join(B);
    assert_eq!(fs::read_to_string(&file).unwrap(), "cable, ticket 4711\n");
    wait_for_record(&host, |record| {
        let reason = &condition(nic(record, B), "cordoned")["reason"];
        reason == "cordoned by an admin: cable, ticket 4711"
    });
    assert!(command(&host, &["devices"]).stdout.contains("ticket 4711"));
    assert!(
        command(&host, &["explain", B])
            .stdout
            .contains(&format!("uncordon {B}"))
    );
    assert_eq!(command(&host, &["uncordon", "cxi1"]).code, 0);
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let twice = command(&host, &["uncordon", B]);
    assert_eq!(twice.code, 0, "{twice:?}");
    assert!(twice.stdout.contains("is not cordoned"), "{twice:?}");
}

#[test]
fn what_cannot_be_cordoned_is_an_error_that_names_the_nics() {
    let host = host();
    for args in [["cordon", "cxi9"], ["uncordon", "0000:99:00.0"], ["explain", "eth0"]] {
        let output = command(&host, &args);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(
            output.stderr.contains(A) && output.stderr.contains("hsn1"),
            "{output:?}"
        );
    }
    let output = command(&host, &["cordon", "cxi0", "--reason", "two\nlines"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(!host.path("run/cordoned").exists());
    // One that is gone can be uncordoned by its address.
    assert_eq!(command(&host, &["cordon", "cxi0"]).code, 0);
    host.node.remove(A).unwrap();
    assert_eq!(command(&host, &["uncordon", A]).code, 0);
    assert!(fs::read_dir(host.path("run/cordoned")).unwrap().next().is_none());
}

/// Nothing of sysfs is asked for that could not be had.
#[test]
fn a_nic_is_cordoned_by_its_address_whatever_becomes_of_sysfs() {
    let host = host();
    let functions = host.node.root().join("sys/bus/pci/devices");
    fs::rename(&functions, host.path("aside")).unwrap();
    let output = command(&host, &["cordon", B, "--reason", "cable"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains(&format!("cordoned {B}: ")), "{output:?}");
    assert_eq!(
        fs::read_to_string(host.path("run/cordoned").join(B)).unwrap(),
        "cable\n"
    );
    let output = command(&host, &["uncordon", B]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (0, "uncordoned 0000:61:00.0\n"),
        "{output:?}"
    );
    for wrong in ["61:00.0", "0000:61:00", "0000:61:00.9", "0000:61:0g.0"] {
        for verb in ["cordon", "uncordon"] {
            let output = command(&host, &[verb, wrong]);
            assert_eq!(output.code, 1, "{output:?}");
            assert!(output.stderr.contains(&format!("'{wrong}'")), "{output:?}");
            assert!(!output.stderr.contains("cannot look for NICs"), "{output:?}");
        }
    }
    assert!(fs::read_dir(host.path("run/cordoned")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_nic_that_is_not_there_is_cordoned_shown_and_kept_from_pods_when_it_comes() {
    let host = DaemonFixture::new(&nics(1));
    let output = command(&host, &["cordon", B, "--reason", "to be tested"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("it is not there now"), "{output:?}");
    fs::create_dir_all(host.path("run/cordoned").join("0000:99:00.0")).unwrap();
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    wait_for(&kubelet, &[(A, true)]).await;
    let record = wait_for_record(&host, |record| {
        record["cordoned_absent"].as_array().is_some_and(|all| all.len() == 2)
    });
    assert_eq!(record["cordoned_absent"][0]["address"], B);
    for command_line in ["status", "devices"] {
        let shown = command(&host, &[command_line]).stdout;
        assert!(
            shown.contains(&format!("cordoned, and not there: {B} (to be tested)\n")),
            "{shown}"
        );
        assert!(
            shown.contains("cordoned, and not there: 0000:99:00.0 (the reason cannot be read"),
            "{shown}"
        );
    }
    assert_eq!(
        json(&host, &["devices"])["cordoned_absent"][0]["reason"],
        "to be tested"
    );
    host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    wait_for_record(&host, |record| {
        record["cordoned_absent"].as_array().is_some_and(|all| all.len() == 1)
    });
    // It goes and comes back.
    host.node.remove(B).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true)]).await;
    host.node.add(&NicSpec::new(Kind::Cassini1)).unwrap();
    daemon.hang_up();
    wait_for(&kubelet, &[(A, true), (B, false)]).await;
    for address in [B, "0000:99:00.0"] {
        let output = command(&host, &["uncordon", address]);
        assert_eq!(output.code, 0, "{output:?}");
    }
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    wait_for_record(&host, |record| record["cordoned_absent"] == Value::Array(Vec::new()));
}

#[test]
fn uncordon_takes_back_whatever_stands_there_and_nothing_that_holds_more() {
    let host = host();
    let order = host.path("run/cordoned").join(A);
    fs::create_dir_all(host.path("run/cordoned")).unwrap();
    fs::write(host.path("target"), "kept").unwrap();
    let make: [&dyn Fn(); 4] = [
        &|| symlink(host.path("target"), &order).unwrap(),
        &|| symlink("nowhere", &order).unwrap(),
        &|| fs::create_dir(&order).unwrap(),
        &|| nix::unistd::mkfifo(&order, nix::sys::stat::Mode::S_IRWXU).unwrap(),
    ];
    for make in make {
        make();
        assert!(command(&host, &["devices"]).stdout.contains("cordoned by an admin"));
        let again = command(&host, &["cordon", A, "--reason", "x"]);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stdout.contains("is cordoned already"), "{again:?}");
        let output = command(&host, &["uncordon", A]);
        assert_eq!(
            (output.code, output.stdout.starts_with("uncordoned")),
            (0, true),
            "{output:?}"
        );
        assert!(fs::symlink_metadata(&order).is_err());
    }
    assert_eq!(fs::read_to_string(host.path("target")).unwrap(), "kept");
    fs::create_dir(&order).unwrap();
    fs::write(order.join("notes"), "").unwrap();
    let output = command(&host, &["uncordon", "cxi0"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains(order.to_str().unwrap()), "{output:?}");
    assert!(order.join("notes").exists());
}

/// What is not known is no reason to drain a node.
#[test]
fn what_cannot_be_read_gives_no_orders() {
    let host = host();
    for attribute in ["properties/pct_eq", "enable"] {
        host.node.unset(A, attribute).unwrap();
    }
    let text = command(&host, &["explain", A]).stdout;
    assert!(
        text.contains("retry-handler   unknown") && text.contains("pci-enabled     unknown"),
        "{text}"
    );
    assert!(
        !text.contains("drain") && !text.contains("reboot") && !text.contains("What to do"),
        "{text}"
    );
    assert_eq!(json(&host, &["explain", A])["remedies"], Value::Array(Vec::new()));
    // One fault, one remedy.
    host.node.link(B, false).unwrap();
    let explained = json(&host, &["explain", B]);
    let remedies = explained["remedies"].as_array().unwrap();
    assert_eq!(remedies.len(), 1, "{explained}");
    assert_eq!(remedies[0]["check"], "link");
    let netdev = condition(&explained["nic"], "netdev-up");
    assert_eq!(netdev["verdict"], "unknown", "{netdev}");
    assert!(
        netdev["reason"].as_str().unwrap().starts_with("follows from link: "),
        "{netdev}"
    );
}

#[test]
fn a_nic_of_which_nothing_can_be_read_is_not_plainly_healthy() {
    let host = host();
    for attribute in ["link", "nid", "pct_eq"] {
        host.node.unset(A, &format!("properties/{attribute}")).unwrap();
    }
    let says = "healthy; readable: neither link nor fabric address nor retry handler can be read (/sys/";
    for command_line in [&["devices"][..], &["explain", A]] {
        let shown = command(&host, command_line).stdout;
        assert!(shown.contains(says), "{shown}");
    }
    let daemon = host.start(&[]);
    let record = wait_for_record(&host, |_| true);
    assert_eq!(condition(nic(&record, A), "readable")["verdict"], "warn");
    assert_eq!(condition(nic(&record, B), "readable")["verdict"], "ok");
    assert!(command(&host, &["status"]).stdout.contains(says));
    daemon.wait_for_log("warning: readable: neither");
}

#[test]
fn devices_needs_no_daemon() {
    let host = DaemonFixture::new(&nics(1));
    let output = command(&host, &["devices"]);
    assert_eq!(output.code, 0, "{output:?}");
    for part in [A, "cxi0", "hsn0", "Cassini 1 PF", "200 Gb/s", "0x12", "healthy"] {
        assert!(output.stdout.contains(part), "no {part} in {output:?}");
    }
    assert_eq!(json(&host, &["devices"])["nics"][0]["speed_mbps"], 200_000);
    let empty = DaemonFixture::new(&[]);
    assert!(command(&empty, &["devices"]).stdout.contains("no CXI NIC"));
}
