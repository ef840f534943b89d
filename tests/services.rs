//! `cxi-device-plugin services`: the real program, whose commands are answered by the driver in memory.
#![cfg(test)]

mod common;

#[path = "services/at_border.rs"]
mod at_border;
#[path = "services/first_use.rs"]
mod first_use;
#[path = "services/host.rs"]
mod host;
#[path = "services/lingering.rs"]
mod lingering;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::time::Duration;

use common::Output;
use cxi_sim::driver::{Caller, Nic, Parameters, Supervised, errno};
use cxi_sim::node::{Kind, NicSpec};
use host::{A, B, Host, ROOT, STAND_INS, stand_in};
use serde_json::Value;

#[test]
fn the_list_says_what_the_driver_says() {
    let host = Host::new();
    let listed = host.json();
    let nics = listed["nics"].as_array().unwrap();
    assert_eq!(nics.len(), 2);
    for (nic, (address, cxi)) in nics.iter().zip([(A, "cxi0"), (B, "cxi1")]) {
        assert_eq!((&nic["address"], &nic["cxi"]), (&address.into(), &cxi.into()));
        let services = nic["services"].as_array().unwrap();
        assert_eq!(services.len(), 1);
        let service = &services[0];
        assert_eq!(service["id"], 1);
        assert_eq!(service["origin"]["kind"], "default");
        assert_eq!(
            (&service["enabled"], &service["system"]),
            (&false.into(), &false.into())
        );
        assert_eq!(service["members"], Value::Null);
        assert_eq!(service["vnis"], serde_json::json!([1, 10]));
        assert_eq!(
            service["resources"][5],
            serde_json::json!({"resource": "LE", "reserved": 0, "max": 16384, "in_use": null})
        );
        assert_eq!(service["unknown"], serde_json::json!([]));
        assert_eq!(nic["pools_left"], serde_json::json!({"tle": 3, "le": 15}));
        assert_eq!(nic["plain_pod"]["service"], Value::Null);
        assert!(
            nic["plain_pod"]["reason"]
                .as_str()
                .unwrap()
                .contains("the default service (1) is off")
        );
    }
    let table = host.ok(&[]);
    for words in [
        "0000:21:00.0 (cxi0",
        "default",
        "off",
        "everybody",
        "1 10",
        "0/512/512",
        "a plain pod cannot use it",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn the_default_service_is_switched_on_and_off_on_the_nics_that_are_named() {
    let host = Host::new();
    let said = host.ok(&["enable-default", "cxi1"]);
    assert!(said.contains("0000:61:00.0") && said.contains("on now"), "{said}");
    let states = || [A, B].map(|address| host.services(address)[0]["enabled"] == true);
    assert_eq!(states(), [false, true]);
    let said = host.ok(&["enable-default"]);
    assert!(said.contains("on now") && said.contains("as it was"), "{said}");
    assert_eq!(states(), [true, true]);
    let listed = host.json();
    assert_eq!(
        listed["nics"][0]["plain_pod"],
        serde_json::json!({"uid": null, "gid": null, "service": 1, "reason": null})
    );
    assert!(host.ok(&["list"]).contains("on, open"));
    host.ok(&["disable-default", A]);
    assert_eq!(states(), [false, true]);
    host.fails(&["enable-default", "cxi7"], &["cxi7"]);
}

#[test]
fn an_admins_switch_is_respected_in_that_life_of_the_nic_and_no_longer() {
    let host = Host::new();
    let is_on = || host.services(A)[0]["enabled"] == true;
    let once = || host.ok(&["enable-default", "--once", A]);
    once();
    assert!(is_on());
    // By another tool.
    host.other(0, 9, ROOT, 80, &[1, 0]).unwrap();
    let said = once();
    assert!(
        said.contains("stays off") && said.contains("enable-default 0000:21:00.0"),
        "{said}"
    );
    assert!(!is_on());
    // By hand it is switched on all the same, and by ours off again.
    host.ok(&["enable-default", A]);
    assert!(is_on());
    host.ok(&["disable-default", A]);
    once();
    assert!(!is_on());
    // The driver is bound anew: another life, with another number.
    host.node.unbind(A).unwrap();
    host.node.bind(A).unwrap();
    let cxi = host
        .node
        .nics()
        .unwrap()
        .iter()
        .find(|nic| nic.pci == A)
        .unwrap()
        .cxi
        .unwrap();
    stand_in(&host.node, cxi as usize, STAND_INS[0].0, STAND_INS[0].1);
    once();
    assert!(is_on());
}

#[test]
fn switched_off_before_the_first_start_by_our_own_command_counts_too() {
    let host = Host::new();
    host.ok(&["disable-default", A]);
    let said = host.ok(&["enable-default", "--once", A]);
    assert!(said.contains("stays off"), "{said}");
    assert_eq!(host.services(A)[0]["enabled"], false);
}

#[test]
fn a_service_that_ours_makes_is_seen_by_others_and_the_other_way_round() {
    let host = Host::new();
    let file = host.file(
        "resource_limits: 1\nrestricted_members: 1\nrestricted_tcs: 1\nlimits:\n  - name: TLEs\n    max: 9\n    res: 9\nvnis:\n  \
         vni: 20\n  vni: 21\nmembers:\n  - type: uid\n    id: 1000\n  - type: gid\n    id: 100\n#tcs:\n    tc: BEST_EFFORT\n",
    );
    let plan = host.ok(&["create", "--file", &file, "--dry-run", "cxi0"]);
    for words in ["would make", "uid 1000, gid 100", "20, 21", "BEST_EFFORT", "TLEs 9/9"] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
    let made = host.ok(&["create", "--file", &file, "--output", "json", "cxi0", A]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made, serde_json::json!([{"address": A, "cxi": "cxi0", "id": 2}]));
    let bytes = host.other(0, 9, ROOT, 45, &[2]).unwrap();
    assert_eq!(bytes[..10], [0x1f, 2, 20, 0, 21, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[10..16], [0, 0, 0, 1, 0, 0]);
    assert_eq!(bytes[16..32], [0xe8, 3, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(bytes[56..60], [9, 0, 9, 0]);
    // Somebody else's.
    let mut desc = vec![0; 68];
    desc[..4].copy_from_slice(&[0x23, 1, 30, 0]);
    desc[16..24].copy_from_slice(&[7, 0, 0, 0, 1, 0, 0, 0]);
    let mut request = [28_u32.to_le_bytes(), [0; 4]].concat();
    request.extend(0x1000_u64.to_le_bytes());
    request.extend(desc);
    request.resize(88, 0);
    host.driver(1, |nic| nic.command(9, &ROOT, &request)).result.unwrap();
    let services = host.services(B);
    assert_eq!((&services[1]["id"], &services[1]["system"]), (&2.into(), &true.into()));
    assert_eq!(services[1]["members"], serde_json::json!([{"type": "uid", "id": 7}]));
    host.fails(&["delete", "cxi1", "2"], &["of the host's own software"]);
    host.ok(&["delete", "cxi0", "2"]);
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
}

#[test]
fn a_service_is_made_on_all_nics_that_are_named_or_on_none() {
    let host = Host::new();
    let file = host.file("vnis: {vni_min: 64, vni_max: 127}\n");
    host.ok(&["create", "--file", &file, "cxi1"]);
    host.fails(
        &["create", "--file", &file, "cxi0", "cxi1"],
        &["0000:61:00.0", "EEXIST", "it is taken back", "1 of 2 NICs"],
    );
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
    assert_eq!(host.driver(1, |nic| nic.ids()), [1, 2]);
}

#[test]
fn what_describes_no_service_is_refused_before_anything_is_sent() {
    let host = Host::new();
    for (text, words) in [
        ("members: [{type: uid, id: 1}]\nvnis: {vni: 1}", "would admit everybody"),
        ("vni: 0", "not a VNI"),
        ("{", "not YAML"),
    ] {
        let file = host.file(text);
        host.fails(&["create", "--file", &file, "cxi0"], &["describes no service", words]);
    }
    host.fails(
        &["create", "--file", "/nonexistent", "cxi0"],
        &["cannot read /nonexistent"],
    );
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
}

#[test]
fn a_service_for_a_namespace_is_shown_with_a_process_that_is_in_it() {
    let host = Host::new();
    let process = host.node.root().join("proc/4711");
    fs::create_dir_all(process.join("ns")).unwrap();
    fs::write(process.join("ns/net"), "").unwrap();
    fs::write(process.join("comm"), "mpi-rank\n").unwrap();
    let netns = fs::metadata(process.join("ns/net")).unwrap().ino();
    let file = host.file(&format!(
        "restricted_members: 1\nvnis: {{vni: 20}}\nmembers: [{{type: netns, id: {netns}}}]\n"
    ));
    host.ok(&["create", "--file", &file, "cxi0"]);
    let listed = host.json();
    assert_eq!(
        listed["nics"][0]["services"][1]["members"],
        serde_json::json!([{"type": "netns", "id": netns}])
    );
    assert_eq!(
        listed["namespaces"][netns.to_string()],
        serde_json::json!({"pid": 4711, "command": "mpi-rank"})
    );
    let table = host.ok(&[]);
    assert!(
        table.contains(&format!("netns {netns} (pid 4711, mpi-rank)")),
        "{table}"
    );
}

#[test]
fn a_service_in_use_is_waited_for_and_then_named() {
    let host = Host::with(Parameters {
        lingers: Duration::from_secs(3600),
        ..Parameters::default()
    });
    let file = host.file("vnis: {vni: 20}\n");
    host.ok(&["create", "--file", &file, "cxi0"]);
    host.other(0, 9, ROOT, 1, &[2]).unwrap();
    host.driver(0, |nic| nic.close(9));
    host.fails(
        &["delete", "--wait", "0", "cxi0", "2"],
        &["still in use after 0 s", "fuser -v /dev/cxi0"],
    );
    // It is let go while the program waits.
    let running = Supervised::start(host.command(&["delete", "cxi0", "2"]), &host.nics, ROOT).unwrap();
    host.driver(0, |nic| nic.advance(Duration::from_secs(3600)));
    let output: Output = running.output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("service 2 is gone"), "{output:?}");
    assert_eq!(host.driver(0, |nic| nic.ids()), [1]);
}

#[test]
fn what_is_not_to_be_deleted_by_hand_is_not() {
    let host = Host::new();
    let group = host.driver(0, |nic| nic.add_group(&[1000], true)).to_string();
    host.fails(&["delete", "cxi0", "1"], &["disable-default cxi0"]);
    host.fails(&["delete", "cxi0", "9"], &["has no service 9; it has 1, 2"]);
    host.fails(
        &["delete", "cxi0", &group],
        &["rmdir /sys/kernel/config/cxi/cxi0/rgroup/NAME"],
    );
    let names = host.node.root().join("sys/kernel/config/cxi/cxi0/rgroup/tenants");
    fs::create_dir_all(&names).unwrap();
    fs::write(names.join("id"), format!("{group}\n")).unwrap();
    host.fails(&["delete", "cxi0", &group], &["rgroup/tenants"]);
    assert!(host.ok(&[]).contains("configfs tenants"));
    assert_eq!(
        host.services(A)[1]["origin"],
        serde_json::json!({"kind": "configfs", "name": "tenants"})
    );
}

#[test]
fn without_the_right_everything_is_seen_and_nothing_changed() {
    let host = Host {
        caller: Caller {
            uid: 1000,
            is_admin: false,
            ..ROOT
        },
        ..Host::new()
    };
    assert_eq!(host.services(A).len(), 1);
    host.fails(&["enable-default"], &["EPERM", "CAP_SYS_ADMIN", "on 2 of 2 NICs"]);
    let file = host.file("vnis: {vni: 20}\n");
    host.fails(&["create", "--file", &file, "cxi0"], &["EPERM"]);
}

#[test]
fn a_nic_that_fails_leaves_the_others_as_they_are() {
    let host = Host::new();
    host.driver(0, |nic| nic.fail(Some(errno::EIO)));
    let output = host.run(&["list", "--output", "json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let listed: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(listed["nics"][0]["services"], Value::Null);
    assert!(listed["nics"][0]["unknown"].as_str().unwrap().contains("EIO"));
    assert_eq!(listed["nics"][1]["services"].as_array().unwrap().len(), 1);
    host.fails(&["enable-default"], &["0000:21:00.0", "EIO", "on 1 of 2 NICs"]);
    assert_eq!(
        host.driver(1, |nic| nic.command(9, &ROOT, &[0; 3]).result),
        Err(errno::EINVAL)
    );
}

#[test]
fn the_unit_passes_over_virtual_functions_and_a_hand_is_told() {
    let host = Host::new();
    host.node
        .add(&NicSpec::new(Kind::Cassini2Vf).pci("0000:61:00.1").cxi(2))
        .unwrap();
    stand_in(&host.node, 2, "/dev/urandom", "1:9");
    let mut nic = Nic::new(Parameters::default());
    nic.make_virtual();
    host.nics.lock().unwrap().insert("/dev/urandom".into(), nic);
    let said = host.ok(&["enable-default", "--once", "cxi2"]);
    assert!(said.contains("virtual function"), "{said}");
    host.fails(&["enable-default", "cxi2"], &["those of its physical function"]);
    host.ok(&["enable-default"]);
    assert_eq!(host.services("0000:61:00.1")[0]["enabled"], false);
}

/// A condition of a NIC in what `explain` says of it, with what to type.
fn condition(host: &Host, nic: &str, check: &str) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    command
        .args(["explain", nic, "--output", "json", "--root"])
        .arg(host.node.root());
    command.arg("--run-dir").arg(host.folder.path().join("run"));
    let output: Output = Supervised::start(command, &host.nics, host.caller)
        .unwrap()
        .output()
        .unwrap()
        .into();
    let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let conditions = json["nic"]["conditions"].as_array().or(json["conditions"].as_array());
    let found = conditions
        .unwrap_or_else(|| panic!("{json}"))
        .iter()
        .find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{json}"));
    (
        found["verdict"].as_str().unwrap().to_owned(),
        found["reason"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn explain_says_whether_a_pod_could_use_the_nic_and_whether_there_is_room() {
    let host = Host::new();
    let (verdict, reason) = condition(&host, "cxi0", "cxi-service");
    assert_eq!(verdict, "warn");
    assert!(reason.contains("the default service (1) is off"), "{reason}");
    host.ok(&["enable-default", "cxi0"]);
    assert_eq!(
        condition(&host, "cxi0", "cxi-service"),
        (
            "ok".to_owned(),
            "a pod of any user can use it, by CXI service 1".to_owned()
        )
    );
    assert_eq!(condition(&host, "cxi0", "resources").0, "ok");
    host.driver(0, |nic| nic.set_in_use(1, 3, 2047));
    let (verdict, reason) = condition(&host, "cxi0", "resources");
    assert_eq!(verdict, "warn");
    assert!(reason.contains("2047 of 2047 EQs in use"), "{reason}");
    host.driver(0, |nic| nic.fail(Some(errno::EIO)));
    let (verdict, reason) = condition(&host, "cxi0", "cxi-service");
    assert!(verdict == "unknown" && reason.contains("EIO"), "{verdict}: {reason}");
    assert_eq!(condition(&host, "cxi1", "cxi-service").0, "warn");
}

/// What `doctor` finds about services, as `id subject`.
fn findings(host: &Host) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    command
        .args(["doctor", "--output", "json", "--root"])
        .arg(host.node.root());
    let output: Output = Supervised::start(command, &host.nics, host.caller)
        .unwrap()
        .output()
        .unwrap()
        .into();
    let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let found = json["findings"].as_array().unwrap().iter();
    let found = found.map(|found| format!("{} {}", found["id"], found["subject"]).replace('"', ""));
    found.filter(|found| found.contains("service")).collect()
}

#[test]
fn doctor_names_a_nic_that_no_pod_could_use_and_one_that_is_open_to_everybody() {
    let host = Host::new();
    host.ok(&["enable-default", "cxi1"]);
    let found = findings(&host);
    let of_nics: Vec<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|found| found.contains("0000:"))
        .collect();
    assert_eq!(of_nics.len(), 2, "{found:?}");
    assert!(
        of_nics
            .iter()
            .any(|found| found.starts_with("condition-cxi-service 0000:21:00.0")),
        "{found:?}"
    );
    assert!(
        of_nics
            .iter()
            .any(|found| found.starts_with("default-service-open 0000:61:00.0")),
        "{found:?}"
    );
}

#[test]
fn the_daemon_knows_whether_a_pod_could_use_each_nic() {
    let host = Host::new();
    host.ok(&["enable-default", "cxi1"]);
    let path = |name: &str| host.folder.path().join(name);
    fs::create_dir(path("run")).unwrap();
    fs::write(path("config.toml"), "[kubelet]\nenabled = false\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
        command.env_remove(variable);
    }
    command.arg("run").arg("--root").arg(host.node.root());
    for (flag, name) in [("--config", "config.toml"), ("--run-dir", "run"), ("--cdi-dir", "cdi")] {
        command.arg(flag).arg(path(name));
    }
    let daemon = Supervised::start(command, &host.nics, host.caller).unwrap();
    let verdicts = || {
        let record: Value = serde_json::from_str(&fs::read_to_string(path("run/status.json")).ok()?).ok()?;
        let nics = record["nics"].as_array()?.iter();
        let verdict = |nic: &Value| {
            let conditions = nic["conditions"].as_array()?;
            let found = conditions.iter().find(|found| found["check"] == "cxi-service")?;
            Some(found["verdict"].as_str()?.to_owned())
        };
        nics.map(verdict).collect::<Option<Vec<String>>>()
    };
    common::daemon::until(
        || verdicts() == Some(vec!["warn".into(), "ok".into()]),
        || format!("{:?}", verdicts()),
    );
    let pid = nix::unistd::Pid::from_raw(daemon.pid().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output: Output = daemon.output().unwrap().into();
    assert_eq!(output.code, 0, "{output:?}");
}

/// Without the driver in memory: what a command meets then is a device that swallows it.
#[test]
fn a_device_that_swallows_commands_is_no_nic() {
    let host = Host::new();
    stand_in(&host.node, 0, "/dev/null", "1:3");
    let output: Output = host.command(&["enable-default", "cxi0"]).output().unwrap().into();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("accepted and not answered"), "{output:?}");
    assert!(!host.state().join(A).exists());
}

/// What stands at the place of a node is not written to unless it is the NIC's.
#[test]
fn not_one_byte_goes_to_what_is_not_the_nics_node() {
    let host = Host::new();
    let path = host.node.root().join("dev/cxi0");
    let victim = host.folder.path().join("victim");
    fs::write(&victim, "as it was").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&victim, &path).unwrap();
    host.fails(&["enable-default", "cxi0"], &["not a character device"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    fs::remove_file(&path).unwrap();
    symlink(STAND_INS[1].0, &path).unwrap();
    host.fails(
        &["enable-default", "cxi0"],
        &["a stale node: it is 1:7, the driver's is 1:5"],
    );
    fs::remove_file(host.node.root().join("sys/class/cxi_user/cxi0/dev")).unwrap();
    host.fails(&["enable-default", "cxi0"], &["does not name the node's numbers"]);
    for number in [0, 1] {
        let desc = host.other(number, 9, ROOT, 45, &[1]).unwrap();
        assert_eq!(desc[0] & 0x10, 0);
    }
}
