//! `doctor --bundle`: one file from which another machine can see what this node sees, and no secret in it.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use common::doctor_fixture::{DoctorFixture, Report, UNLIMITED};
use common::skip::{Need, skip};
use common::{Generator, Output, scratch};
use cxi_sim::node::{Kind, NicSpec, Variant};

const SECRET: &str = "hunter2";

fn bundle(fixture: &DoctorFixture, target: &Path) -> Output {
    fixture.doctor(&["--bundle", target.to_str().unwrap()])
}

#[test]
fn a_copy_of_each_variant_has_the_same_spec_and_the_same_findings() {
    for variant in Variant::ALL {
        let fixture = DoctorFixture::new(&variant.nics()).with_static_spec();
        let folder = fixture.copy();
        let copy = folder.path().join("copy");
        let spec = |root: &Path| {
            Generator::below(root)
                .args(["--functions", "all", "--libraries", "closure"])
                .dry_run()
        };
        assert_eq!(spec(&copy), spec(fixture.root()), "{variant}");
        let (report, of_copy) = (fixture.report(), Report::of(&copy));
        assert_eq!(of_copy.findings(), report.findings(), "{variant}");
        assert_eq!(of_copy.code, report.code, "{variant}");
        let unknown = |report: &Report| report.value["unknown"].clone();
        assert_eq!(unknown(&of_copy), unknown(&report), "{variant}");
    }
}

/// Every place that may hold a password, with one in it.
fn full_of_secrets() -> DoctorFixture {
    let containerd =
        "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry.configs.x.auth]\npassword = 'hunter2'\n";
    let fixture = DoctorFixture::of_cluster(
        &[NicSpec::new(Kind::Cassini1)],
        "containerd",
        &[
            ("etc/containerd/config.toml", containerd),
            ("run/containerd/containerd.sock", ""),
        ],
    );
    let spec = "cdiVersion: 0.5.0\nkind: example.com/x\ndevices: [{name: x, containerEdits: {env: [TOKEN=hunter2]}}]\n";
    fixture
        .write("etc/cdi/other.yaml", spec)
        .write("etc/cdi/broken.yaml", "a: [hunter2");
    fixture.write(
        "etc/cni/net.d/00-multus.conf",
        r#"{"type": "multus", "kubeconfig": "hunter2"}"#,
    );
    fixture.write("etc/cni/net.d/10-broken.conf", "{ hunter2");
    fixture.write(
        "etc/docker/daemon.json",
        r#"{"proxies": {"http-proxy": "http://a:hunter2@b"}}"#,
    );
    fixture.process(903, "dockerd", UNLIMITED);
    fixture.process(904, "crio", UNLIMITED);
    fixture.write("etc/crio/crio.conf", "[crio.image]\nglobal_auth_file = 'hunter2'\n");
    fixture.write(
        "etc/cxi-device-plugin/config.toml",
        "[container]\nenv = { TOKEN = 'hunter2' }\n",
    );
    fixture.write("etc/cxi-device-plugin/config.d/x.toml", "hunter2");
    for unit in ["cxi-device-plugin", "containerd"] {
        let text = "[Service]\nEnvironment=TOKEN=hunter2\nLimitMEMLOCK=infinity\n";
        fixture.write(&format!("usr/lib/systemd/system/{unit}.service"), text);
        fixture.write(&format!("etc/systemd/system/{unit}.service.d/x.conf"), text);
    }
    fixture.write("proc/901/cmdline", "kubelet\0--token=hunter2\0");
    fixture.write("proc/901/environ", "TOKEN=hunter2\0");
    fixture.write("var/lib/kubelet/device-plugins/kubelet_internal_checkpoint", "hunter2");
    fixture.write(
        "proc/net/route",
        "Iface\tDestination\nhunter2\t0000FD0A\nhsn0\t0000FD0A\n",
    );
    fixture
}

#[test]
fn no_secret_gets_into_a_bundle() {
    let fixture = full_of_secrets();
    let folder = scratch();
    let target = folder.path().join("node.tar");
    let output = bundle(&fixture, &target);
    assert_eq!(output.code, 3, "{output:?}");
    let bytes = fs::read(&target).unwrap();
    let at = bytes
        .windows(SECRET.len())
        .position(|window| window == SECRET.as_bytes());
    let around = at.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(1000)..at + 20]).into_owned());
    assert_eq!(around, None);
    // What is left is of use.
    let text = String::from_utf8_lossy(&bytes);
    for kept in [
        "TOKEN=(left out)",
        "\"multus\"",
        "LimitMEMLOCK=infinity",
        "hsn0\t0000FD0A",
        "EMULATED",
    ] {
        assert!(text.contains(kept), "{kept}");
    }
}

#[test]
fn the_same_node_gives_the_same_bytes_for_its_owner_only() {
    let (fixture, folder) = (full_of_secrets(), scratch());
    let [one, other] = ["one.tar", "other.tar"].map(|name| folder.path().join(name));
    assert_eq!(bundle(&fixture, &one).code, 3);
    assert_eq!(bundle(&fixture, &other).code, 3);
    assert_eq!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
    assert_eq!(one.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    // A bundle takes the place of an older one, as a new file.
    let inode = one.metadata().unwrap().ino();
    assert_eq!(bundle(&fixture, &one).code, 3);
    assert_ne!(one.metadata().unwrap().ino(), inode);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing temporary is left"
    );
}

#[test]
fn nothing_but_a_bundle_is_overwritten() {
    let (fixture, folder) = (DoctorFixture::podman(), scratch());
    let place = |name: &str| folder.path().join(name);
    fs::write(place("mine.tar"), "precious").unwrap();
    fs::write(place("empty"), "").unwrap();
    fs::create_dir(place("directory")).unwrap();
    symlink(place("nowhere"), place("link")).unwrap();
    for name in ["mine.tar", "empty", "directory", "link"] {
        let output = bundle(&fixture, &place(name));
        assert_eq!(output.code, 1, "{output:?}");
        assert!(
            output
                .stderr
                .contains("is there and is no bundle: remove it, or name another file"),
            "{output:?}"
        );
    }
    assert_eq!(fs::read(place("mine.tar")).unwrap(), b"precious");
    assert!(!place("nowhere").exists());
    let output = bundle(&fixture, &place("missing/node.tar"));
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("cannot create a file in"), "{output:?}");
    assert_eq!(fixture.doctor(&["--log", "x"]).code, 2, "a log goes into a bundle");
}

#[test]
fn a_log_goes_along_if_it_is_given_and_is_asked_for_if_not() {
    let (fixture, folder) = (DoctorFixture::podman(), scratch());
    let [log, target] = ["daemon.log", "node.tar"].map(|name| folder.path().join(name));
    assert!(
        bundle(&fixture, &target)
            .stdout
            .contains("journalctl -u cxi-device-plugin")
    );
    fs::write(&log, "the end of the story\n").unwrap();
    let output = fixture.doctor(&["--bundle", target.to_str().unwrap(), "--log", log.to_str().unwrap()]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(!output.stdout.contains("journalctl"));
    assert!(String::from_utf8_lossy(&fs::read(&target).unwrap()).contains("the end of the story"));
}

/// The archive is one for everybody's tar, too.
#[test]
fn tar_reads_a_bundle() {
    let (fixture, folder) = (DoctorFixture::podman(), scratch());
    let target = folder.path().join("node.tar");
    assert_eq!(bundle(&fixture, &target).code, 0);
    let Ok(output) = Command::new("tar").arg("tf").arg(&target).output() else {
        return skip(Need::Program, "tar");
    };
    let output = Output::from(output);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let names: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(names.first(), Some(&"doctor.json"));
    assert!(names.iter().any(|name| name.ends_with("/resource0")));
    let tree: Vec<&&str> = names.iter().filter(|name| name.starts_with("root/")).collect();
    assert!(tree.is_sorted(), "{tree:?}");
}
