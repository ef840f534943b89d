//! The driver in memory: what it answers is what the module in the guest answers, whoever asks.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use cxi_sim::driver::script::{Memory, generate, run};
use cxi_sim::driver::{Caller, Nic, Parameters, Supervised};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../golden/driver")
        .join(name);
    fs::read_to_string(path).unwrap()
}

fn in_memory(script: &str) -> String {
    run(script, &mut Memory::default()).unwrap()
}

/// The first line in which they differ, and how many lines there are.
#[track_caller]
fn same(wanted: &str, got: &str) {
    for (wanted, got) in wanted.lines().zip(got.lines()) {
        assert_eq!(wanted, got);
    }
    assert_eq!(wanted.lines().count(), got.lines().count());
}

/// `commands.transcript` is what the module said in a guest (tests/vm/guest/commands.sh); it is never made from the twin.
#[test]
fn it_answers_a_script_as_the_module_in_the_guest_does() {
    let script = golden("commands.script");
    let transcript = golden("commands.transcript");
    assert!(transcript.lines().filter(|line| line.contains(" root ")).count() > 200);
    same(&transcript, &in_memory(&script));
}

/// A real program sends the same by write(2): what it can read at its addresses counts, not what it says.
#[test]
fn a_program_whose_writes_it_answers_sees_the_same() {
    let script = golden("commands.script");
    // One caller, and no file that is closed: those are not told apart.
    let is_plain = |line: &&str| line.starts_with("open ") || line.split(' ').nth(1) == Some("root");
    let lines: Vec<&str> = script
        .lines()
        .take_while(|line| !line.starts_with("close "))
        .filter(is_plain)
        .collect();
    let plain = lines.join("\n");
    assert!(lines.len() > 40 && plain.contains("edge") && plain.contains("size=3"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    fs::write(&file, &plain).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-sim"));
    command.args(["driver", "run", "--device", "/dev/zero"]).arg(&file);
    let nics = BTreeMap::from([(PathBuf::from("/dev/zero"), Nic::new(Parameters::default()))]);
    let root = Caller {
        uid: 0,
        gid: 0,
        netns: 1,
        is_admin: true,
    };
    let output = Supervised::start(command, &Arc::new(Mutex::new(nics)), root)
        .unwrap()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    same(&in_memory(&plain), &String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_seed_makes_one_script_that_is_about_more_than_refusals() {
    let script = generate(7, 400);
    assert_eq!(script, generate(7, 400));
    assert_ne!(script, generate(8, 400));
    let transcript = in_memory(&script);
    for command in [
        "alloc",
        "destroy",
        "enable",
        "set-range",
        "lni-alloc",
        "domain-alloc",
        "cp-alloc",
    ] {
        let is_done = |line: &str| line.split(' ').nth(2) == Some(command) && line.contains("-> ok");
        assert!(transcript.lines().any(is_done), "no {command} was done\n{transcript}");
    }
}

#[test]
fn a_line_that_is_none_is_named() {
    for (line, words) in [
        ("A root frobnicate 1", "no such command"),
        ("A nobody get 1", "nobody of this name"),
        ("A root get one", "\"one\" is no number"),
        ("A root get 1 2", "too many numbers"),
        ("A root alloc colour=3", "no field \"colour\""),
        ("A", "too short"),
    ] {
        let error = run(&format!("open A\n# a remark\n{line}\n"), &mut Memory::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("line 3: {words}: {line}"));
    }
}
