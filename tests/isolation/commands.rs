//! What commands beside it say of services for pods, and do with them.

use std::fs;
use std::process::Command;

use cxi_sim::driver::Supervised;
use serde_json::Value;

use crate::common::Output;
use crate::common::daemon::A;
use crate::fixture::{Host, Namespace, container, pod};

/// Where commands look for it on this node.
fn usual(host: &Host) -> std::path::PathBuf {
    host.node.root().join("run/cxi-isolation")
}

fn command(host: &Host, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    command.args(args).arg("--root").arg(host.node.root());
    let running = Supervised::start(command, &host.nics, crate::fixture::ROOT).unwrap();
    running.output().unwrap().into()
}

fn started(host: &Host) -> crate::fixture::Program {
    fs::create_dir_all(usual(host).parent().unwrap()).unwrap();
    host.start_by(host.command_in(&usual(host)))
}

#[test]
fn services_of_pods_are_named_and_end_all_together() {
    let Some((blue, red)) = Namespace::two() else { return };
    let host = Host::new();
    let runtime = host.runtime();
    let program = started(&host);
    let mut plugin = runtime.take_and_tell(&[], &[]).unwrap();
    let (one, other) = (pod("b", "blue", Some(&blue)), pod("r", "red", Some(&red)));
    plugin
        .create_container(&one, &container(&one, &[0, 1]))
        .unwrap()
        .unwrap();
    plugin
        .create_container(&other, &container(&other, &[0]))
        .unwrap()
        .unwrap();
    let listed = command(&host, &["services", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    for words in ["pod blue/pod-b", "pod red/pod-r", "1024", "1032"] {
        assert!(listed.stdout.contains(words), "{words}: {listed:?}");
    }
    let listed = command(&host, &["services", "list", "--output", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let of_pods = &listed["nics"][0]["of_pods"];
    assert_eq!(of_pods[1]["pod"], "pod-r", "{listed}");
    // While it runs it would make them anew.
    let refused = command(&host, &["services", "delete", "--ours"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    assert_eq!(host.ids(0), [2, 3]);
    assert_eq!(program.end().code, 0);
    host.open(0, 5, red.inode, 3).unwrap();
    let left = command(&host, &["services", "delete", "--ours", "--wait", "0"]);
    assert_eq!(left.code, 1, "{left:?}");
    assert!(left.stdout.contains("2 services of pods are gone"), "{left:?}");
    assert!(
        left.stderr
            .contains(&format!("{A}: service 3 of pod red/pod-r is ending")),
        "{left:?}"
    );
    assert_eq!((host.ids(0), host.ids(1)), (vec![3], vec![]));
    host.close(0, 5);
    let gone = command(&host, &["services", "delete", "--ours"]);
    assert_eq!(
        (gone.code, gone.stdout.as_str()),
        (0, "1 services of pods are gone\n"),
        "{gone:?}"
    );
    assert_eq!(host.ids(0), [0_u32; 0]);
    assert!(!usual(&host).join(format!("{A}.ledger.json")).exists());
    let again = command(&host, &["services", "delete", "--ours"]);
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "0 services of pods are gone\n")
    );
}

#[test]
fn a_number_or_all_of_them_but_not_both_and_not_neither() {
    let host = Host::new();
    for args in [
        &["services", "delete"][..],
        &["services", "delete", "cxi0"],
        &["services", "delete", "--ours", "cxi0", "3"],
    ] {
        assert_eq!(command(&host, args).code, 2, "{args:?}");
    }
}

#[test]
fn with_the_unit_off_nothing_differs_to_the_byte() {
    let host = Host::new();
    let all = || {
        let asked: [&[&str]; 5] = [
            &["devices", "--output", "json"],
            &["devices"],
            &["explain", A, "--output", "json"],
            &["services", "list", "--output", "json"],
            &["services", "list"],
        ];
        asked.map(|args| {
            let output = command(&host, args);
            (output.code, output.stdout, output.stderr)
        })
    };
    let spec = || crate::common::Generator::below(host.node.root()).dry_run();
    let before = (all(), spec());
    // What an earlier life of the unit has left: nobody runs, and no range is configured.
    fs::create_dir_all(usual(&host)).unwrap();
    for (name, text) in [
        ("lock", "1\n"),
        ("connected", ""),
        (
            "status.json",
            "{\"schema\": 1, \"pid\": 1, \"connected\": true, \"runtime\": \"x\", \"reason\": \"\", \"nics\": []}",
        ),
    ] {
        fs::write(usual(&host).join(name), text).unwrap();
    }
    assert_eq!((all(), spec()), before);
}
