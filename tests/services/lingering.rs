//! A service that is to end and does not, as everybody is shown it, and a default service that admits everybody.

use std::fs;
use std::time::Duration;

use cxi_sim::driver::Parameters;
use serde_json::{Value, json};

use super::host::{A, B, Host, ROOT, verdict};

/// A host where service 2 of `cxi0` is in use for an hour after its only user has gone.
fn with_one_in_use() -> Host {
    let host = Host::with(Parameters {
        lingers: Duration::from_secs(3600),
        ..Parameters::default()
    });
    let file = host.file("vnis: {vni: 20}\n");
    host.ok(&["create", "--file", &file, "cxi0"]);
    host.other(0, 9, ROOT, 1, &[2]).unwrap();
    host.driver(0, |nic| nic.close(9));
    host
}

fn delete_in_vain(host: &Host) {
    let run_dir = host.run_dir();
    fs::create_dir_all(&run_dir).unwrap();
    host.fails(
        &[
            "delete",
            "--wait",
            "0",
            "--run-dir",
            run_dir.to_str().unwrap(),
            "cxi0",
            "2",
        ],
        &["still in use after 0 s"],
    );
}

/// What `services list` says of services that are to end.
fn ending(host: &Host) -> Vec<Value> {
    let run_dir = host.run_dir();
    let listed = host.ok(&["list", "--output", "json", "--run-dir", run_dir.to_str().unwrap()]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let nics = listed["nics"].as_array().unwrap();
    nics.iter().map(|nic| nic["ending"].clone()).collect()
}

fn findings(host: &Host, id: &str) -> Vec<Value> {
    let output = host.supervised(host.other_command(&["doctor", "--output", "json"]));
    let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let found = json["findings"].as_array().unwrap().iter();
    found.filter(|found| found["id"] == id).cloned().collect()
}

#[test]
fn a_service_that_does_not_end_is_shown_to_everybody_until_it_has_ended() {
    let host = with_one_in_use();
    let soon = "[cxi_service]\nlingers_after = \"0s\"\n";
    host.configure(soon);
    assert_eq!(ending(&host), [json!([]), json!([])]);
    assert!(findings(&host, "service-lingering").is_empty());
    let daemon = host.daemon(soon);
    daemon.wait_for("nothing lingers", |nics| {
        nics.iter().all(|nic| verdict(nic, "cxi-service") != "unknown")
    });
    daemon.wait_for_metric("cxi_nic_services_lingering{nic=\"0000:21:00.0\"} 0");
    delete_in_vain(&host);
    // Whoever looks now.
    let noted = ending(&host);
    assert_eq!((&noted[0][0]["service"], &noted[1]), (&json!(2), &json!([])));
    let since = noted[0][0]["since"].as_u64().unwrap();
    assert!(since > 0);
    let run_dir = host.run_dir();
    assert!(
        host.ok(&["list", "--run-dir", run_dir.to_str().unwrap()])
            .contains("to end for")
    );
    let found = findings(&host, "service-lingering");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["subject"], &found[0]["level"]),
        (&json!(A), &json!("warning"))
    );
    assert!(
        found[0]["remedy"]
            .as_str()
            .unwrap()
            .contains("services delete 0000:21:00.0 2")
    );
    // The daemon, with its next question to the driver.
    let lingers = json!([{"service": 2, "since": since}]);
    daemon.wait_for("it lingers", |nics| {
        nics[0]["lingering"] == lingers && nics[1]["lingering"] == json!([])
    });
    daemon.wait_for_metric("cxi_nic_services_lingering{nic=\"0000:21:00.0\"} 1");
    let status = host.supervised(host.other_command(&["status"]));
    assert!(status.stdout.contains("lingering CXI service 2"), "{status:?}");
    // A second try in vain keeps the time of the first one.
    delete_in_vain(&host);
    assert_eq!(ending(&host)[0][0]["since"].as_u64(), Some(since));
    host.driver(0, |nic| nic.advance(Duration::from_secs(3600)));
    host.ok(&["delete", "--run-dir", run_dir.to_str().unwrap(), "cxi0", "2"]);
    assert_eq!(ending(&host), [json!([]), json!([])]);
    daemon.wait_for("it has ended", |nics| nics[0]["lingering"] == json!([]));
    let log = daemon.end();
    assert_eq!(log.matches("CXI service 2 lingers").count(), 1, "{log}");
    assert_eq!(log.matches("does not linger any more").count(), 1, "{log}");
}

#[test]
fn it_lingers_after_its_time_and_not_before() {
    let host = with_one_in_use();
    delete_in_vain(&host);
    // Five minutes, unless somebody has said otherwise.
    assert_eq!(ending(&host)[0][0]["service"], 2);
    assert!(findings(&host, "service-lingering").is_empty());
}

#[test]
fn where_it_cannot_be_noted_that_is_said_and_nothing_is_made() {
    let host = with_one_in_use();
    let missing = host.folder.path().join("missing");
    host.fails(
        &[
            "delete",
            "--wait",
            "0",
            "--run-dir",
            missing.to_str().unwrap(),
            "cxi0",
            "2",
        ],
        &[
            "status and doctor will not know",
            "is not there: give the --run-dir of the daemon",
            "services delete --wait 600",
        ],
    );
    assert!(!missing.exists());
    // The usual place is made where there is none yet.
    host.fails(&["delete", "--wait", "0", "cxi0", "2"], &["still in use"]);
    let listed = host.json();
    assert_eq!(listed["nics"][0]["ending"][0]["service"], 2);
}

#[test]
fn another_service_of_that_number_is_another_one() {
    let host = with_one_in_use();
    host.configure("[cxi_service]\nlingers_after = \"0s\"\n");
    delete_in_vain(&host);
    host.driver(0, |nic| nic.advance(Duration::from_secs(3600)));
    // Somebody else ends it, and makes another one.
    host.other(0, 9, ROOT, 29, &[2]).unwrap();
    let file = host.file("vnis: {vni: 21}\n");
    host.ok(&["create", "--file", &file, "cxi0"]);
    assert_eq!(host.services(A)[1]["id"], 2);
    assert_eq!(ending(&host), [json!([]), json!([])]);
    assert!(findings(&host, "service-lingering").is_empty());
}

#[test]
fn a_default_service_that_admits_everybody_is_warned_of_once_and_counted() {
    let host = Host::new();
    host.ok(&["enable-default", "cxi1"]);
    let daemon = host.daemon("");
    daemon.wait_for("open", |nics| {
        nics[0]["default_service_open"] == false && nics[1]["default_service_open"] == true
    });
    daemon.wait_for_metric("cxi_nic_default_service_open{nic=\"0000:21:00.0\"} 0");
    daemon.wait_for_metric("cxi_nic_default_service_open{nic=\"0000:61:00.0\"} 1");
    let log = daemon.end();
    let warned = log.matches("the default CXI service is on").count();
    assert_eq!(warned, 1, "{log}");
    assert!(log.contains(&format!("services disable-default {B}")), "{log}");
    let meant = host.daemon("[cxi_service]\ndefault_service = \"ignore\"\n");
    meant.wait_for("open", |nics| nics[1]["default_service_open"] == true);
    meant.wait_for_metric("cxi_nic_default_service_open{nic=\"0000:61:00.0\"} 1");
    assert!(!meant.end().contains("the default CXI service is on"));
}

#[test]
fn where_a_pod_must_be_able_to_use_the_nic_one_that_none_could_is_unhealthy() {
    let host = Host::new();
    let file = host.file("restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: uid, id: 1000}]\n");
    host.ok(&["create", "--file", &file, "cxi1"]);
    for (whose, healthy) in [
        ("", [false, false]),
        ("uid = 1000\n", [false, true]),
        ("uid = 1001\n", [false, false]),
    ] {
        let config = format!("[health]\nhold_down = \"0s\"\n[cxi_service]\ndefault_service = \"require\"\n{whose}");
        let daemon = host.daemon(&config);
        daemon.wait_for(whose, |nics| {
            let verdicts = healthy.map(|healthy| if healthy { "ok" } else { "fail" });
            nics.iter()
                .zip(verdicts)
                .all(|(nic, wanted)| verdict(nic, "cxi-service") == wanted)
                && nics.iter().zip(healthy).all(|(nic, healthy)| nic["healthy"] == healthy)
        });
        daemon.end();
    }
    host.configure("[cxi_service]\nuid = 1000\ngid = 100\n");
    let table = host.ok(&[]);
    assert!(
        table.contains("a pod of user 1000 and group 100 can use it, by service 2"),
        "{table}"
    );
    assert_eq!(
        host.json()["nics"][1]["plain_pod"],
        json!({"uid": 1000, "gid": 100, "service": 2, "reason": null})
    );
}

#[test]
fn a_reload_says_anew_whose_pods_are_asked_about_and_what_follows() {
    let host = Host::new();
    let file = host.file("restricted_members: 1\nvnis: {vni: 20}\nmembers: [{type: uid, id: 1000}]\n");
    host.ok(&["create", "--file", &file, "cxi1"]);
    let table = |text: &str| {
        format!("[kubelet]\nenabled = false\n[health]\nhold_down = \"0s\"\nhold_up = \"0s\"\n[cxi_service]\n{text}")
    };
    let daemon = host.daemon("");
    daemon.wait_for("a warning", |nics| {
        nics.iter().all(|nic| verdict(nic, "cxi-service") == "warn")
    });
    daemon.reload(&table("default_service = \"require\"\n"));
    daemon.wait_for("none is healthy", |nics| nics.iter().all(|nic| nic["healthy"] == false));
    daemon.reload(&table("default_service = \"require\"\nuid = 1000\n"));
    daemon.wait_for("that user's are", |nics| {
        nics[0]["healthy"] == false && nics[1]["healthy"] == true
    });
    daemon.reload(&table("default_service = \"ignore\"\n"));
    daemon.wait_for("ignored", |nics| {
        nics.iter().all(|nic| verdict(nic, "cxi-service") == "ok")
    });
    daemon.end();
}
