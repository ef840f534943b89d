//! With a prefix every usual place lies below it, in all commands of both programs; what is given is taken as it is; and no
//! command makes a directory that somebody has mistyped.
#![cfg(test)]

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::daemon::{A, DaemonFixture, nics, until};
use common::generator_fixture::assert_has;
use common::{Output, scratch};
use serde_json::Value;

const GENERATOR: &str = env!("CARGO_BIN_EXE_cxi-cdi-generator");
const PLUGIN: &str = env!("CARGO_BIN_EXE_cxi-device-plugin");
/// Of this machine: nothing here may touch them.
const OWN: [&str; 4] = ["/etc/cdi", "/run/cdi", "/run/cxi-device-plugin", "/var/lib/kubelet"];

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

fn run(program: &str, args: &[&str]) -> Output {
    command(program).args(args).output().unwrap().into()
}

fn own_places() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let names = |path: &str| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        names.sort();
        names
    };
    OWN.iter().map(|path| (PathBuf::from(path), names(path))).collect()
}

/// A host's tree in which /var/run is the link that it is on every host: absolute, so that it leads out of the prefix for us.
fn tree() -> (DaemonFixture, PathBuf) {
    let host = DaemonFixture::new(&nics(1));
    let root = host.node.root().to_owned();
    fs::create_dir_all(root.join("run")).unwrap();
    fs::create_dir_all(root.join("var/lib/kubelet/device-plugins")).unwrap();
    symlink("/run", root.join("var/run")).unwrap();
    (host, root)
}

#[test]
fn with_a_prefix_every_usual_place_lies_below_it() {
    let before = own_places();
    let (_host, root) = tree();
    let prefix = root.to_str().unwrap();
    let below = |path: &str| root.join(path).display().to_string();
    let spec = below("etc/cdi/hpe.com-cxi.yaml");
    let state = below("run/cxi-device-plugin");
    let cordon = format!("{state}/cordoned/{A}");
    let (wrote, up_to_date, removed) = (
        format!("wrote {spec}"),
        format!("{spec} is up to date"),
        format!("removed {spec}"),
    );
    // In this order: what one writes the next one sees.
    let table: [(&str, &[&str], i32, &str); 13] = [
        (GENERATOR, &[], 0, &wrote),
        (GENERATOR, &["generate"], 0, &up_to_date),
        (GENERATOR, &["verify"], 0, &up_to_date),
        (GENERATOR, &["list"], 0, &spec),
        (GENERATOR, &["remove"], 0, &removed),
        (GENERATOR, &["list"], 0, &below("run/cdi")),
        (PLUGIN, &["status"], 1, &below("run/cxi-device-plugin/lock")),
        (PLUGIN, &["cordon", A], 0, "cordoned"),
        (PLUGIN, &["devices"], 0, "cordoned"),
        (PLUGIN, &["explain", A], 0, "cordoned by an admin"),
        (PLUGIN, &["doctor"], 3, "condition-cordoned"),
        (PLUGIN, &["uncordon", A], 0, "uncordoned"),
        (PLUGIN, &["config"], 0, &below("var/lib/kubelet/device-plugins")),
    ];
    for (program, args, code, said) in table {
        let output = run(program, &[args, &["--root", prefix]].concat());
        assert_eq!(output.code, code, "{args:?}: {output:?}");
        assert_has(&format!("{}{}", output.stdout, output.stderr), said);
        assert_eq!(
            Path::new(&cordon).exists(),
            ["cordon", "devices", "explain", "doctor"].contains(args.first().unwrap_or(&""))
        );
    }
    let config: Value =
        serde_json::from_str(&run(PLUGIN, &["config", "--output", "json", "--root", prefix]).stdout).unwrap();
    for (key, place) in [
        ("daemon.run_dir", state.clone()),
        ("cdi.dir", below("run/cdi")),
        ("kubelet.dir", below("var/lib/kubelet/device-plugins")),
    ] {
        assert!(config.to_string().contains(&place), "{key}: {config}");
    }
    assert_eq!(own_places(), before);
}

#[test]
fn the_daemon_keeps_below_its_prefix() {
    let before = own_places();
    let (host, root) = tree();
    fs::create_dir_all(root.join("etc/cxi-device-plugin")).unwrap();
    fs::write(
        root.join("etc/cxi-device-plugin/config.toml"),
        "[log]\nlevel = \"debug\"\n",
    )
    .unwrap();
    let mut daemon = command(PLUGIN);
    daemon.arg("--root").arg(&root);
    let daemon = host.spawn(daemon);
    let socket = root.join("var/lib/kubelet/device-plugins/kubelet.sock");
    daemon.wait_for_log(&format!(
        "waiting for kubelet.sock in {}",
        socket.parent().unwrap().display()
    ));
    for made in [
        "run/cdi/hpe.com-cxi.yaml",
        "run/cxi-device-plugin/lock",
        "run/cxi-device-plugin/status.json",
    ] {
        until(|| root.join(made).exists(), || format!("no {made}: {}", daemon.log()));
    }
    // The configuration of the host counts, too.
    assert_has(&daemon.log(), "DEBUG");
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(own_places(), before);
}

#[test]
fn what_is_given_is_taken_as_it_is() {
    let (_host, root) = tree();
    let folder = scratch();
    let (prefix, place) = (root.to_str().unwrap(), folder.path().join("given"));
    let given = place.to_str().unwrap();
    let file = place.join("hpe.com-cxi.yaml");
    for (args, code) in [(&["generate"][..], 0), (&["verify"], 0), (&["list"], 0)] {
        let output = run(GENERATOR, &[args, &["--root", prefix, "--cdi-dir", given]].concat());
        assert_eq!(output.code, code, "{args:?}: {output:?}");
        assert_has(&output.stdout, file.to_str().unwrap());
    }
    let output = run(PLUGIN, &["cordon", A, "--root", prefix, "--run-dir", given]);
    assert_eq!(output.code, 0, "{output:?}");
    for (args, code, said) in [
        (&["devices"][..], 0, "cordoned"),
        (&["explain", A], 0, "cordoned by an admin"),
        (&["doctor", "--cdi-dir", given], 3, "condition-cordoned"),
    ] {
        let output = run(PLUGIN, &[args, &["--root", prefix, "--run-dir", given]].concat());
        assert_eq!(output.code, code, "{args:?}: {output:?}");
        assert_has(&output.stdout, said);
        assert!(!output.stdout.contains("cdi-name-missing"), "{output:?}");
    }
    let output = run(GENERATOR, &["remove", "--root", prefix, "--cdi-dir", given]);
    assert_has(&output.stdout, &format!("removed {}", file.display()));
    assert!(!root.join("etc/cdi").exists() && !root.join("run/cxi-device-plugin").exists());
}

#[test]
fn no_command_makes_a_directory_that_is_mistyped() {
    let (_host, root) = tree();
    let folder = scratch();
    let missing = folder.path().join("nosuch");
    let (prefix, directory) = (root.to_str().unwrap(), missing.to_str().unwrap());
    let (spec, bundle) = (format!("{directory}/x.yaml"), format!("{directory}/x.tar"));
    let table: [(&str, &[&str]); 5] = [
        (GENERATOR, &["--output", &spec]),
        (GENERATOR, &["generate", "-o", &spec]),
        (PLUGIN, &["cordon", A, "--run-dir", directory]),
        (PLUGIN, &["uncordon", A, "--run-dir", directory]),
        (PLUGIN, &["doctor", "--bundle", &bundle]),
    ];
    for (program, args) in table {
        let output = run(program, &[args, &["--root", prefix]].concat());
        assert_eq!(output.code, 1, "{args:?}: {output:?}");
        assert_has(&output.stderr, directory);
        assert!(!missing.exists(), "{args:?}");
    }
}

#[test]
fn a_dash_is_standard_output() {
    let (_host, root) = tree();
    let folder = scratch();
    let mut doctor = command(PLUGIN);
    doctor.args(["doctor", "--bundle", "-", "--root"]).arg(&root);
    let output = doctor.current_dir(folder.path()).output().unwrap();
    let findings = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{findings}");
    assert_has(&findings, "cdi-name-missing");
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let mut first = archive.entries().unwrap().next().unwrap().unwrap();
    let mut report = String::new();
    first.read_to_string(&mut report).unwrap();
    assert_has(&report, "cdi-name-missing");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
