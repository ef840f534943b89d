//! A NIC whose commands fail or hang, beside one that answers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cxi_sim::driver::errno;
use serde_json::Value;

use super::common::Output;
use super::host::{A, Host, STAND_INS, verdict};

/// A library in front of the C library's, whose writes to the stand-in of `cxi0` never come back, as those to a driver that is stuck.
fn stuck_driver(host: &Host) -> PathBuf {
    let source = host.folder.path().join("stuck.c");
    let numbers = STAND_INS[0].1.replace(':', ", ");
    let code = format!(
        "#define _GNU_SOURCE\n#include <sys/stat.h>\n#include <sys/syscall.h>\n#include <sys/sysmacros.h>\n#include <unistd.h>\n\
         ssize_t write(int fd, const void *bytes, size_t size) {{\n\
         struct stat found;\n\
         if (fstat(fd, &found) == 0 && S_ISCHR(found.st_mode) && found.st_rdev == makedev({numbers})) for (;;) pause();\n\
         return syscall(SYS_write, fd, bytes, size);\n}}\n"
    );
    fs::write(&source, code).unwrap();
    let library = host.folder.path().join("stuck.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    library
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// What every command says while `cxi0` does not answer. `reason` is why; `run` runs a command.
fn others_are_as_they_were(host: &Host, reason: &str, run: impl Fn(Command) -> Output) {
    let table = run(host.command(&["list"]));
    assert_eq!(table.code, 1, "{table:?}");
    let line = table
        .stdout
        .lines()
        .find(|line| line.contains("its services are not known"));
    assert!(line.is_some_and(|line| line.contains(reason)), "{reason}: {table:?}");
    assert!(
        table.stdout.contains("0000:61:00.0 (cxi1") && table.stdout.contains("a plain pod cannot use it"),
        "{table:?}"
    );
    assert!(table.stderr.contains("1 of 2 NICs could not be asked"), "{table:?}");
    let listed = run(host.command(&["list", "--output", "json"]));
    assert_eq!(listed.code, 1, "{listed:?}");
    let nics = json(&listed)["nics"].clone();
    assert!(
        nics[0]["services"].is_null() && nics[0]["unknown"].as_str().unwrap().contains(reason),
        "{listed:?}"
    );
    assert_eq!(nics[1]["services"].as_array().unwrap().len(), 1);
    let devices = run(host.other_command(&["devices"]));
    assert_eq!(devices.code, 0, "{devices:?}");
    assert_eq!(devices.stdout.matches("healthy").count(), 2, "{devices:?}");
    for (nic, expected) in [("cxi0", "unknown"), ("cxi1", "warn")] {
        let explained = run(host.other_command(&["explain", nic, "--output", "json"]));
        let explained = json(&explained);
        assert_eq!(verdict(&explained["nic"], "cxi-service"), expected, "{explained}");
    }
    let doctor = run(host.other_command(&["doctor", "--output", "json"]));
    let findings = json(&doctor)["findings"].clone();
    let about: Vec<&Value> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["id"] == "condition-cxi-service")
        .collect();
    assert!(
        about.len() == 1 && about[0]["subject"].as_str().unwrap().contains("cxi1"),
        "{findings}"
    );
}

#[test]
fn a_nic_whose_commands_fail_leaves_everything_else_as_it_is() {
    let host = Host::new();
    for (number, words) in [
        (errno::EIO, "EIO"),
        (errno::EINVAL, "EINVAL"),
        (errno::EOPNOTSUPP, "EOPNOTSUPP"),
        // ENODEV
        (19, "error 19"),
    ] {
        host.driver(0, |nic| nic.fail(Some(number)));
        others_are_as_they_were(&host, words, |command| host.supervised(command));
    }
    let daemon = host.daemon("");
    daemon.wait_for("unknown beside known", |nics| {
        verdict(&nics[0], "cxi-service") == "unknown" && verdict(&nics[1], "cxi-service") == "warn"
    });
    daemon.wait_for("healthy", |nics| nics.iter().all(|nic| nic["healthy"] == true));
    daemon.end();
}

#[test]
fn a_nic_whose_commands_hang_leaves_everything_else_as_it_is() {
    let host = Host::new();
    let library = stuck_driver(&host);
    let stuck = |mut command: Command| {
        command.env("LD_PRELOAD", &library);
        command
    };
    let run = |command| host.supervised(stuck(command));
    others_are_as_they_were(&host, "no answer within", run);
    let switched = run(host.command(&["enable-default"]));
    assert_eq!(switched.code, 1, "{switched:?}");
    assert!(
        switched.stderr.contains("no answer within 10 s") && switched.stderr.contains("on 1 of 2 NICs"),
        "{switched:?}"
    );
    assert_eq!(host.services(A)[0]["enabled"], false);
    // What is not made on all of them is made on none.
    let file = host.file("vnis: {vni: 20}\n");
    let created = run(host.command(&["create", "--file", &file, "cxi0", "cxi1"]));
    assert_eq!(created.code, 1, "{created:?}");
    assert!(
        created.stderr.contains("services list 0000:21:00.0") && created.stderr.contains("1 of 2 NICs"),
        "{created:?}"
    );
    assert_eq!(host.driver(1, |nic| nic.ids()), [1]);
    // The daemon looks and publishes all the same; a fabric link that goes down meanwhile is news at once.
    let daemon = host.daemon_with(stuck(host.daemon_command("[health]\nhold_down = \"0s\"\n")));
    daemon.wait_for("unknown beside known", |nics| {
        verdict(&nics[0], "cxi-service") == "unknown" && verdict(&nics[1], "cxi-service") == "ok"
    });
    host.node.link("0000:61:00.0", false).unwrap();
    daemon.wait_for("the link", |nics| {
        verdict(&nics[1], "link") == "fail" && nics[0]["healthy"] == true
    });
    daemon.end();
}
