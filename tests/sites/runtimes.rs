//! Where each container runtime reads CDI specs, by its own configuration and by its default.

use std::collections::BTreeSet;

use crate::common::doctor_fixture::{DoctorFixture, Report, UNLIMITED};
use cxi_sim::node::{Kind, NicSpec};

const FOUND: &str = "runtime-cdi-dirs";

fn node() -> Vec<NicSpec> {
    vec![NicSpec::new(Kind::Cassini1)]
}

/// A node with kubelet and this runtime, by its socket.
fn cluster(socket: &str, files: &[(&str, &str)]) -> DoctorFixture {
    let fixture = DoctorFixture::of_cluster(&node(), "init", files);
    fixture.write(socket, "");
    fixture
}

/// Podman or Docker with our spec in this directory.
fn beside(directory: &str, files: &[(&str, &str)]) -> DoctorFixture {
    let fixture = DoctorFixture::one();
    let output = crate::common::Generator::below(fixture.root()).write_to(&fixture.path(directory));
    assert_eq!(output.code, 0, "{output:?}");
    for (path, text) in files {
        fixture.write(path, text);
    }
    fixture
}

/// Of the node and of its copy.
fn level(fixture: &DoctorFixture) -> Option<String> {
    fixture.ids();
    fixture.report().levels().get(FOUND).cloned()
}

fn unknown(report: &Report) -> String {
    report.value["unknown"].to_string()
}

#[test]
fn the_directories_of_kubelets_runtimes_are_read_where_each_keeps_them() {
    let crio = "run/crio/crio.sock";
    let containerd = |dirs: &str| {
        format!("version = 3\n[plugins.'io.containerd.cri.v1.runtime']\nenable_cdi = true\ncdi_spec_dirs = {dirs}\n")
    };
    let (elsewhere, here) = (containerd("['/opt/cdi']"), containerd("['/etc/cdi', '/run/cdi']"));
    let of_crio = |dirs: &str| format!("[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']\ncdi_spec_dirs = {dirs}\n");
    let (crio_elsewhere, crio_here) = (of_crio("['/opt/cdi']"), of_crio("['/var/run/cdi']"));
    let k0s = "run/k0s/containerd.sock";
    let microk8s = "var/snap/microk8s/common/run/containerd.sock";
    for (socket, files, expected) in [
        (crio, vec![], None),
        (crio, vec![("etc/crio/crio.conf", &crio_elsewhere)], Some("warning")),
        (
            crio,
            vec![("etc/crio/crio.conf.d/10-x.conf", &crio_elsewhere)],
            Some("warning"),
        ),
        (
            crio,
            vec![
                ("etc/crio/crio.conf", &crio_elsewhere),
                ("etc/crio/crio.conf.d/10-x.conf", &crio_here),
            ],
            None,
        ),
        (
            crio,
            vec![
                ("etc/crio/crio.conf.d/10-x.conf", &crio_here),
                ("etc/crio/crio.conf.d/20-x.conf", &crio_elsewhere),
            ],
            Some("warning"),
        ),
        (k0s, vec![("etc/k0s/containerd.toml", &elsewhere)], Some("warning")),
        (k0s, vec![("etc/k0s/containerd.toml", &here)], None),
        (
            microk8s,
            vec![("var/snap/microk8s/current/args/containerd.toml", &elsewhere)],
            Some("warning"),
        ),
        (
            microk8s,
            vec![("var/snap/microk8s/current/args/containerd.toml", &here)],
            None,
        ),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let fixture = cluster(socket, &files);
        assert_eq!(level(&fixture).as_deref(), expected, "{socket} {files:?}");
        assert!(!unknown(&fixture.report()).contains("unknown runtime"), "{socket}");
    }
    // By an import, as k0s has it.
    let fixture = cluster(
        k0s,
        &[
            (
                "etc/k0s/containerd.toml",
                "version = 3\nimports = ['/run/k0s/containerd-cri.toml']\n",
            ),
            ("run/k0s/containerd-cri.toml", &elsewhere),
        ],
    );
    assert_eq!(level(&fixture).as_deref(), Some("warning"));
}

#[test]
fn podman_reads_the_directory_of_admins_unless_it_is_told_more() {
    let podman = ("usr/bin/podman", "");
    let say = |dirs: &str| format!("[engine]\ncdi_spec_dirs = {dirs}\n");
    let (main, usr) = ("etc/containers/containers.conf", "usr/share/containers/containers.conf");
    let dropin = "etc/containers/containers.conf.d/cdi.conf";
    let (both, other, more) = (
        say("['/etc/cdi', '/var/run/cdi']"),
        say("['/opt/cdi']"),
        say("['/run/cdi', {append = true}]"),
    );
    for (directory, files, expected) in [
        ("etc/cdi", vec![], None),
        ("var/run/cdi", vec![], Some("note")),
        ("var/run/cdi", vec![(main, &both)], None),
        ("var/run/cdi", vec![(usr, &both)], None),
        ("var/run/cdi", vec![(dropin, &more)], None),
        ("etc/cdi", vec![(dropin, &more)], None),
        ("etc/cdi", vec![(main, &other)], Some("warning")),
        ("etc/cdi", vec![(usr, &other), (main, &both)], None),
        ("etc/cdi", vec![(main, &both), (dropin, &other)], Some("warning")),
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let fixture = beside(directory, &files);
        fixture.write(podman.0, podman.1);
        assert_eq!(level(&fixture).as_deref(), expected, "{directory} {files:?}");
    }
    assert_eq!(level(&beside("var/run/cdi", &[])), None, "nobody has podman here");
}

#[test]
fn docker_reads_what_its_daemon_json_says() {
    for (text, expected) in [
        (r#"{"features": {"cdi": true}}"#, None),
        (
            r#"{"features": {"cdi": true}, "cdi-spec-dirs": ["/opt/cdi"]}"#,
            Some("warning"),
        ),
        (r#"{"features": {"cdi": true}, "cdi-spec-dirs": ["/etc/cdi"]}"#, None),
    ] {
        let fixture = beside("etc/cdi", &[("etc/docker/daemon.json", text)]);
        fixture.process(902, "dockerd", UNLIMITED);
        assert_eq!(level(&fixture).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_kubelet_whose_runtime_is_nowhere_has_an_unknown_one() {
    let fixture = DoctorFixture::of_cluster(&node(), "init", &[]);
    assert!(
        unknown(&fixture.report()).contains("unknown runtime"),
        "{}",
        unknown(&fixture.report())
    );
    let alone = DoctorFixture::podman();
    assert!(!unknown(&alone.report()).contains("unknown runtime"));
    let known: BTreeSet<String> = cluster("run/containerd/containerd.sock", &[]).ids();
    assert!(!known.contains(FOUND), "{known:?}");
}
