//! All commands go by the configuration of the daemon: its directories and its roots.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::Output;
use crate::common::daemon::{A, PATIENCE, RESOURCE};
use crate::common::doctor_fixture::DoctorFixture;

/// The plugin's commands on a host's tree.
pub fn plugin(root: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    let (name, rest) = args.split_first().unwrap();
    let output = command.arg(name).arg("--root").arg(root).args(rest).output();
    output.unwrap().into()
}

/// A node whose configuration names other places than the usual ones, in the file and in a drop-in.
fn elsewhere() -> DoctorFixture {
    let fixture = DoctorFixture::one();
    fixture.write("etc/cxi-device-plugin/config.toml", "[daemon]\nrun_dir = '/data/cxi'\n");
    fixture.write(
        "etc/cxi-device-plugin/config.d/roots.toml",
        "[roots]\nsysfs = '/data/sys'\ndev = '/data/dev'\n",
    );
    fs::create_dir_all(fixture.path("data/cxi")).unwrap();
    for name in ["sys", "dev"] {
        fs::rename(fixture.path(name), fixture.path(&format!("data/{name}"))).unwrap();
    }
    fixture
}

#[test]
fn a_cordon_lands_where_the_daemon_looks() {
    let fixture = elsewhere();
    for nic in [A, "cxi0", "hsn0"] {
        let output = plugin(fixture.root(), &["cordon", nic, "--reason", "bad"]);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(!output.stdout.contains("not there"), "{output:?}");
        assert!(fixture.path("data/cxi/cordoned").join(A).exists(), "{output:?}");
        assert!(!fixture.path("run/cxi-device-plugin/cordoned").exists());
        let output = plugin(fixture.root(), &["explain", nic]);
        assert!(output.stdout.contains("cordoned by an admin: bad"), "{output:?}");
        let output = plugin(fixture.root(), &["devices"]);
        assert!(output.stdout.contains("cordoned"), "{output:?}");
        let output = plugin(fixture.root(), &["uncordon", nic]);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(!fixture.path("data/cxi/cordoned").join(A).exists(), "{output:?}");
    }
}

#[test]
fn a_flag_and_a_variable_win_over_the_file() {
    let fixture = elsewhere();
    let other = fixture.host.path("other");
    fs::create_dir_all(&other).unwrap();
    let output = plugin(fixture.root(), &["cordon", A, "--run-dir", other.to_str().unwrap()]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(other.join("cordoned").join(A).exists());
    fs::create_dir_all(fixture.path("empty/bus/pci/devices")).unwrap();
    fs::create_dir_all(fixture.path("empty/class")).unwrap();
    let output = plugin(fixture.root(), &["devices", "--sysfs-root", "/empty"]);
    assert!(output.stdout.contains("no CXI NIC"), "{output:?}");
}

#[tokio::test]
async fn status_and_explain_find_the_daemon_that_runs_by_the_file() {
    let fixture = elsewhere();
    let run = fixture.path("data/cxi");
    fs::remove_file(fixture.host.path("run")).unwrap();
    symlink(&run, fixture.host.path("run")).unwrap();
    fs::create_dir_all(fixture.path("var/lib/kubelet/device-plugins")).unwrap();
    let kubelet = fixture.host.kubelet();
    let daemon = fixture
        .host
        .start(&["--sysfs-root", "/data/sys", "--devfs-root", "/data/dev"]);
    let listed = kubelet
        .wait_for(RESOURCE, PATIENCE, |devices| !devices.is_empty())
        .await;
    listed.unwrap_or_else(|error| panic!("{error:?}:\n{}", daemon.log()));
    crate::common::daemon::until(
        || run.join("status.json").exists(),
        || format!("no record:\n{}", daemon.log()),
    );
    let output = plugin(fixture.root(), &["status"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains(&format!("runs as pid {}", daemon.pid())),
        "{output:?}"
    );
    let output = plugin(fixture.root(), &["explain", "cxi0"]);
    assert!(output.stdout.contains(&format!("(pid {})", daemon.pid())), "{output:?}");
}

#[test]
fn devices_are_withheld_as_the_configuration_says() {
    let fixture = DoctorFixture::one();
    fixture.write("etc/cxi-device-plugin/config.toml", "exclude = ['hsn0']\n");
    for command in [&["devices"][..], &["explain", "hsn0"]] {
        let output = plugin(fixture.root(), command);
        assert!(output.stdout.contains("exclude"), "{command:?}: {output:?}");
    }
}

#[test]
fn a_configuration_that_the_daemon_refuses_is_said_and_nothing_is_cordoned_somewhere() {
    let fixture = DoctorFixture::one();
    fixture.write("etc/cxi-device-plugin/config.toml", "[daemon]\nrun_dri = '/data'\n");
    for command in [&["devices"][..], &["explain", "hsn0"]] {
        let output = plugin(fixture.root(), command);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stderr.contains("run_dri"), "{command:?}: {output:?}");
    }
    for command in ["cordon", "uncordon"] {
        let output = plugin(fixture.root(), &[command, "hsn0"]);
        assert_eq!(output.code, 78, "{output:?}");
        assert!(output.stderr.contains("run_dri"), "{output:?}");
    }
    // Whoever names the directory needs no file.
    let run = fixture.path("run/cxi-device-plugin");
    let output = plugin(fixture.root(), &["cordon", "hsn0", "--run-dir", run.to_str().unwrap()]);
    assert_eq!(output.code, 0, "{output:?}");
}
