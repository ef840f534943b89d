//! Text from outside reaches people as text: whatever a netdev, a driver, a file or an argument says, no command gives a
//! terminal anything to obey, and what is for programs keeps every character.
#![cfg(test)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::daemon::{A, DaemonFixture, PATIENCE, RESOURCE, until};
use common::generator_fixture::{FIRST, GeneratorFixture, assert_has, nic};
use common::{Output, listing};
use serde_json::Value;

/// Clears the screen, sets the title, hides what follows, begins a line of its own, and turns the order of letters.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{1b}[8m\rroot\u{9b}31m\u{202e}gpj\u{7f}";

/// What a terminal obeys, but for line ends and our own looks.
fn steering(text: &str) -> Option<char> {
    let mut plain = text.to_owned();
    for own in ["[0m", "[1m", "[4m", "[31m", "[32m", "[33m"] {
        plain = plain.replace(&format!("\u{1b}{own}"), "");
    }
    plain
        .chars()
        .find(|c| (c.is_control() && !['\n', '\t'].contains(c)) || ('\u{202a}'..='\u{202e}').contains(c))
}

fn assert_harmless(what: &str, output: &Output) {
    for (stream, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        assert_eq!(steering(text), None, "{what}: {stream}: {text:?}");
    }
}

fn run(program: &str, args: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = Command::new(program);
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    command.env("CLICOLOR_FORCE", "1");
    args.iter().for_each(|arg| {
        command.arg(arg.as_ref());
    });
    command.output().unwrap().into()
}

const GENERATOR: &str = env!("CARGO_BIN_EXE_cxi-cdi-generator");
const PLUGIN: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");

/// A node whose every text is hostile.
fn hostile_node() -> GeneratorFixture {
    let name = EVIL.replace('/', "");
    let fixture = GeneratorFixture::new(&[nic(FIRST)]);
    // The kernel itself lets a netdev have such a name.
    let net = fixture.sysfs(FIRST).join("net");
    let old = fs::read_dir(&net).unwrap().next().unwrap().unwrap().path();
    fs::rename(&old, net.join(&name)).unwrap();
    fs::remove_file(net.join(&name).join("operstate")).unwrap();
    fs::write(net.join(&name).join("operstate"), EVIL).unwrap();
    fs::create_dir_all(fixture.host("etc/cni/net.d")).unwrap();
    fs::write(fixture.host("etc/cni/net.d/10-\u{1b}[2J.conf"), EVIL).unwrap();
    fs::create_dir_all(fixture.host("etc/cxi-device-plugin")).unwrap();
    fs::write(fixture.host("etc/cxi-device-plugin/config.toml"), EVIL).unwrap();
    fixture.with_files(&[
        (
            "a\u{1b}[2J.yaml",
            "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: \"/dev/\\e[2J\"}]}}]\n",
        ),
        ("b.yaml", "kind: \"\\e[2J\\x9b\"\n"),
        ("c\u{202e}.json", EVIL),
    ])
}

#[test]
fn nothing_foreign_steers_the_terminal() {
    let fixture = hostile_node();
    let (root, cdi) = (fixture.node.root(), fixture.cdi());
    let evil_file = fixture.folder.path().join(EVIL);
    fs::write(&evil_file, EVIL).unwrap();
    let evil_env = fixture.folder.path().join("env.yaml");
    fs::write(&evil_env, format!("env: [\"{}\"]\n", "A\\e[2J=\\x9b")).unwrap();
    let commands: Vec<(&str, Vec<&dyn AsRef<OsStr>>)> = vec![
        (GENERATOR, vec![&"--root", &root, &"--cdi-dir", &cdi, &"-V2"]),
        (GENERATOR, vec![&"--root", &root, &"-n", &"-V2"]),
        (GENERATOR, vec![&"--root", &root, &"-n", &"--env-vars", &evil_file]),
        (GENERATOR, vec![&"--root", &root, &"-n", &"--env-vars", &evil_env]),
        (GENERATOR, vec![&"--root", &root, &"-n", &"--device", &EVIL]),
        (GENERATOR, vec![&"--root", &evil_file]),
        (GENERATOR, vec![&"--names", &EVIL]),
        (GENERATOR, vec![&EVIL]),
        (GENERATOR, vec![&"--root", &root, &"-o", &evil_file]),
        (GENERATOR, vec![&"list", &"--root", &root, &"--cdi-dir", &cdi]),
        (GENERATOR, vec![&"list", &"--root", &root, &"--cdi-dir", &evil_file]),
        (GENERATOR, vec![&"verify", &"--root", &root, &"--cdi-dir", &cdi]),
        (GENERATOR, vec![&"verify", &"--root", &root, &"--rootfs", &evil_file]),
        (GENERATOR, vec![&"remove", &"--cdi-dir", &evil_file]),
        (PLUGIN, vec![&"devices", &"--root", &root]),
        (PLUGIN, vec![&"explain", &FIRST, &"--root", &root, &"--run-dir", &cdi]),
        (PLUGIN, vec![&"explain", &EVIL, &"--root", &root]),
        (PLUGIN, vec![&"doctor", &"--root", &root, &"--cdi-dir", &cdi]),
        (PLUGIN, vec![&"check-config", &evil_file]),
        (PLUGIN, vec![&"config", &"--config", &evil_file]),
        (PLUGIN, vec![&"status", &"--run-dir", &evil_file]),
        (PLUGIN, vec![&"cordon", &EVIL, &"--root", &root, &"--run-dir", &cdi]),
        (PLUGIN, vec![&EVIL]),
        (PLUGIN, vec![&"--log-level", &EVIL]),
        (PLUGIN, vec![&"run", &"--config", &evil_file]),
    ];
    for (program, args) in commands {
        let shown: Vec<_> = args.iter().map(|arg| (*arg).as_ref().to_owned()).collect();
        let output = run(program, &args);
        assert_harmless(&format!("{program} {shown:?}"), &output);
    }
}

#[test]
fn what_is_for_programs_keeps_every_character() {
    let fixture = hostile_node();
    let output = run(PLUGIN, &[&"devices", &"--root", &fixture.node.root(), &"-o", &"json"]);
    assert_harmless("devices", &output);
    let devices: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(devices["nics"][0]["netdev"], EVIL);
}

#[test]
fn what_is_shown_can_still_be_told_apart() {
    let fixture = hostile_node();
    let output = run(PLUGIN, &[&"devices", &"--root", &fixture.node.root()]);
    assert_has(&output.stdout, "\\u{1b}[2J");
}

#[test]
fn a_line_of_an_error_is_one_of_ours() {
    let fixture = GeneratorFixture::one();
    let forged = fixture.folder.path().join("x\nwarning: all is well");
    for args in [["--env-vars", "--dry-run"], ["--root", "--dry-run"]] {
        let output = run(GENERATOR, &[&args[0], &forged, &args[1]]);
        assert_ne!(output.code, 0);
        assert!(
            !output.stderr.lines().any(|line| line.starts_with("warning: all")),
            "{output:?}"
        );
    }
    assert!(listing(fixture.folder.path()).len() < 3);
}

#[tokio::test]
async fn nothing_foreign_steers_whoever_reads_the_log() {
    let host = DaemonFixture::new(&[nic(A)]);
    let net = host.node.root().join("sys/bus/pci/devices").join(A).join("net");
    let old = fs::read_dir(&net).unwrap().next().unwrap().unwrap().path();
    fs::rename(&old, net.join(EVIL)).unwrap();
    fs::remove_file(net.join(EVIL).join("operstate")).unwrap();
    fs::write(net.join(EVIL).join("operstate"), EVIL).unwrap();
    let (daemon, kubelet) = (host.start(&[]), host.kubelet());
    kubelet
        .wait_for(RESOURCE, PATIENCE, |devices| !devices.is_empty())
        .await
        .unwrap();
    until(|| host.path("run/status.json").exists(), || daemon.log());
    let log = daemon.log();
    assert_eq!(steering(&log), None, "{log:?}");
    let record: Value = serde_json::from_slice(&fs::read(host.path("run/status.json")).unwrap()).unwrap();
    assert_eq!(record["nics"][0]["netdev"], EVIL, "{record}");
    let status = |path: &Path| {
        run(
            PLUGIN,
            &[&"explain", &A, &"--root", &host.node.root(), &"--run-dir", &path],
        )
    };
    assert_harmless("explain", &status(&host.path("run")));
    assert_eq!(daemon.terminate().code(), Some(0));
}
