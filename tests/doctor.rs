//! `doctor`: each way in which a node differs from a good one is found, by a name that stays, and nothing else is.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use common::apart;
use common::cc::{Library, PLAIN};
use common::cri::{Answer, Runtime};
use common::doctor_fixture::{DoctorFixture, Report, SMALL, UNLIMITED, doctor, findings_of};
use common::generator_fixture::assert_has;
use cxi_device_plugin::model::doctor::finding::FindingId;
use cxi_device_plugin::model::health::Check;
use cxi_sim::node::{Kind, NicSpec, Variant};

const CONTAINERD_2: (&str, &str) = ("etc/containerd/config.toml", "version = 3\n");
const WITHOUT_CDI: &str = "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'x'\n";

fn ids<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

#[test]
fn each_variant_has_its_findings() {
    for variant in Variant::ALL {
        let report = DoctorFixture::new(&variant.nics()).with_static_spec().report();
        assert_eq!(report.ids(), findings_of(variant), "{variant}: {}", report.value);
        let is_bad = report.levels().values().any(|level| level != "note");
        assert_eq!(report.code, if is_bad { 3 } else { 0 }, "{variant}");
    }
}

#[test]
fn each_pair_of_variants_has_the_findings_of_both() {
    let mut pairs = 0;
    for (index, one) in Variant::ALL.into_iter().enumerate() {
        for other in &Variant::ALL[index..] {
            let fixture = DoctorFixture::new(&[apart(one, 1), apart(*other, 2)].concat()).with_static_spec();
            let union: BTreeSet<String> = &findings_of(one) | &findings_of(*other);
            assert_eq!(fixture.report().ids(), union, "{one} beside {other}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 19 * 20 / 2);
}

/// Four NICs, one of whose netdevs is in this network namespace: else the daemon would miss them all.
fn four(kind: Kind) -> Vec<NicSpec> {
    [vec![NicSpec::new(kind); 3], vec![NicSpec::new(kind).netdev("lo")]].concat()
}

/// Nodes on which nothing is wrong, each of another kind.
fn good_clusters() -> [(&'static str, DoctorFixture); 4] {
    let import = "version = 2\nimports = ['/etc/containerd/conf.d/*.toml']\n";
    let cdi = "[plugins.'io.containerd.grpc.v1.cri']\nenable_cdi = true\n";
    let crio = DoctorFixture::of_cluster(
        &four(Kind::Cassini2),
        "crio",
        &[(
            "etc/crio/crio.conf.d/10-ulimits.conf",
            "[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']\n",
        )],
    );
    crio.process(902, "crio", SMALL);
    fs::create_dir_all(crio.path("etc/cdi")).unwrap();
    let k3s = DoctorFixture::of_cluster(
        &four(Kind::Cassini1),
        "containerd",
        &[
            ("var/lib/rancher/k3s/agent/etc/containerd/config.toml", "version = 3\n"),
            ("run/k3s/containerd/containerd.sock", ""),
        ],
    );
    [
        (
            "containerd 2",
            DoctorFixture::of_cluster(&four(Kind::Cassini1), "containerd", &[CONTAINERD_2]),
        ),
        (
            "containerd 1.7 with CDI on by a drop-in",
            DoctorFixture::of_cluster(
                &four(Kind::Cassini2),
                "containerd",
                &[
                    ("etc/containerd/config.toml", import),
                    ("etc/containerd/conf.d/cdi.toml", cdi),
                ],
            ),
        ),
        ("CRI-O with limits of its own", crio),
        ("k3s", k3s),
    ]
}

#[tokio::test]
async fn five_good_nodes_have_no_findings() {
    let nothing = |name: &str, report: &Report| {
        assert_eq!(report.ids(), ids([]), "{name}: {}", report.value);
        assert_eq!(
            report.value["unknown"].as_array().map(Vec::len),
            Some(0),
            "{name}: {}",
            report.value
        );
        assert_eq!(report.code, 0, "{name}");
    };
    nothing("podman", &DoctorFixture::podman().report());
    for (name, fixture) in good_clusters() {
        let (daemon, _kubelet) = fixture.running().await;
        nothing(name, &fixture.report());
        assert_eq!(daemon.terminate().code(), Some(0));
    }
}

/// A good node of a cluster, as it is while the daemon runs, without one: kubelet's socket is there, and a process that
/// goes by the daemon's name.
fn cluster(configuration: &[(&str, &str)]) -> DoctorFixture {
    let fixture = DoctorFixture::of_cluster(&[NicSpec::new(Kind::Cassini1)], "containerd", configuration);
    fixture.process(900, "cxi-device-plug", UNLIMITED);
    fixture.write("proc/900/cmdline", "/usr/bin/cxi-device-plugin\0");
    fixture.write("var/lib/kubelet/device-plugins/kubelet.sock", "");
    let output = common::Generator::below(fixture.root()).write_to(&fixture.path("var/run/cdi"));
    assert_eq!(output.code, 0, "{output:?}");
    fixture
}

fn good_cluster() -> DoctorFixture {
    cluster(&[CONTAINERD_2])
}

#[test]
fn the_small_cluster_is_good_before_it_is_spoilt() {
    let report = good_cluster().report();
    assert_eq!(report.ids(), ids([]), "{}", report.value);
}

/// One thing is wrong on each of these nodes.
#[test]
fn what_is_wrong_with_runtimes_is_found() {
    let found = |fixture: &DoctorFixture| fixture.ids();
    let without = cluster(&[("etc/containerd/config.toml", WITHOUT_CDI)]);
    assert_eq!(found(&without), ids(["runtime-cdi-off"]));
    let off = "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\nenable_cdi = false\n";
    assert_eq!(
        found(&cluster(&[("etc/containerd/config.toml", off)])),
        ids(["runtime-cdi-off"])
    );
    let elsewhere = "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\ncdi_spec_dirs = ['/opt/cdi']\n";
    assert_eq!(
        found(&cluster(&[("etc/containerd/config.toml", elsewhere)])),
        ids(["runtime-cdi-dirs"])
    );
    let by_other_name = elsewhere.replace("/opt/cdi", "/run/cdi");
    assert_eq!(
        found(&cluster(&[("etc/containerd/config.toml", &by_other_name)])),
        ids([])
    );

    let small = good_cluster();
    small.process(902, "containerd", SMALL);
    assert_eq!(found(&small), ids(["runtime-memlock"]));
    let of_unit = good_cluster();
    of_unit.remove("proc/902").write("run/containerd/containerd.sock", "");
    of_unit.write(
        "usr/lib/systemd/system/containerd.service",
        "[Service]\nLimitMEMLOCK=64K\n",
    );
    assert_eq!(found(&of_unit), ids(["runtime-memlock"]));
    of_unit.write(
        "etc/systemd/system/containerd.service.d/hpc.conf",
        "[Service]\nLimitMEMLOCK=infinity\n",
    );
    assert_eq!(found(&of_unit), ids([]));

    let docker = DoctorFixture::podman();
    docker.process(902, "dockerd", UNLIMITED);
    docker.write("etc/docker/daemon.json", r#"{"features": {"cdi": false}}"#);
    assert_eq!(found(&docker), ids(["runtime-cdi-off"]));
    docker.process(902, "dockerd", SMALL);
    docker.write("etc/docker/daemon.json", r#"{"features": {"cdi": true}}"#);
    assert_eq!(found(&docker), ids(["runtime-memlock"]));

    let crio = DoctorFixture::of_cluster(&[NicSpec::new(Kind::Cassini1)], "crio", &[]);
    let output = common::Generator::below(crio.root()).write_to(&crio.path("var/run/cdi"));
    assert_eq!(output.code, 0, "{output:?}");
    crio.write("var/lib/kubelet/device-plugins/kubelet.sock", "");
    crio.process(900, "cxi-device-plug", UNLIMITED)
        .write("proc/900/cmdline", "x\0--pulse\x005\0");
    assert_eq!(found(&crio), ids(["cdi-directory-missing"]));
}

/// The daemon's record of what the runtime has said counts for more than the runtime's files.
#[tokio::test]
async fn what_the_runtime_has_told_the_daemon_is_found() {
    for (files, setting, version, expected) in [
        (WITHOUT_CDI, "auto", "v2.4.2", ids([])),
        (CONTAINERD_2.1, "auto", "1.7.24", ids(["runtime-cdi-off"])),
        (CONTAINERD_2.1, "direct", "1.7.24", ids(["runtime-cdi-off"])),
        (CONTAINERD_2.1, "cdi", "1.7.24", ids(["strategy-not-honoured"])),
        (CONTAINERD_2.1, "cdi", "1.6.20", ids(["strategy-not-honoured"])),
        (CONTAINERD_2.1, "auto", "1.6.20", ids([])),
        (CONTAINERD_2.1, "direct", "v2.4.2", ids(["strategy-direct"])),
        (CONTAINERD_2.1, "cdi", "v2.4.2", ids([])),
    ] {
        let configuration = [("etc/containerd/config.toml", files)];
        let fixture = DoctorFixture::of_cluster(&four(Kind::Cassini1), "containerd", &configuration);
        fixture
            .host
            .configure(&format!("[allocation]\nstrategy = \"{setting}\"\n"));
        let socket = fixture.path("run/containerd/containerd.sock");
        let _runtime = Runtime::start(&socket, Answer::new("containerd", version));
        let (daemon, _kubelet) = fixture.running().await;
        assert_eq!(fixture.ids(), expected, "{setting} {version}: {}", daemon.log());
        let text = fixture.doctor(&[]).stdout;
        assert!(
            expected.is_empty() || text.contains(&format!("containerd {version}")),
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_with_cdi_directories_is_found() {
    let spec = |fixture: &DoctorFixture| fs::read_to_string(fixture.path("etc/cdi/hpe.com-cxi.yaml")).unwrap();

    let conflict = DoctorFixture::podman();
    conflict.write("etc/cdi/mine.yaml", &spec(&conflict));
    assert_eq!(conflict.ids(), ids(["cdi-conflict"]));

    let stale = DoctorFixture::podman();
    stale.write(
        "etc/cdi/hpe.com-cxi.yaml",
        &spec(&stale).replace("/dev/cxi0", "/dev/cxi7"),
    );
    assert_eq!(stale.ids(), ids(["cdi-stale"]));

    let invalid = DoctorFixture::podman();
    invalid.write("etc/cdi/other.json", "{");
    assert_eq!(invalid.ids(), ids(["cdi-invalid-file"]));

    assert_eq!(DoctorFixture::one().ids(), ids(["cdi-name-missing"]));

    let beside = good_cluster().with_static_spec();
    assert_eq!(beside.ids(), ids(["cdi-static-beside-daemon"]));

    let closed = DoctorFixture::podman();
    fs::set_permissions(
        closed.path("etc/cdi/hpe.com-cxi.yaml"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    assert_eq!(closed.ids(), ids(["cdi-not-readable"]));
    fs::set_permissions(
        closed.path("etc/cdi/hpe.com-cxi.yaml"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    fs::set_permissions(closed.path("etc/cdi"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(closed.ids(), ids(["cdi-not-readable"]));
}

#[test]
fn what_is_wrong_with_driver_and_nics_is_found() {
    let none = DoctorFixture::new(&[]);
    assert_eq!(none.ids(), ids(["no-nics"]));

    let off = DoctorFixture::podman();
    off.write("sys/module/cxi_ss1/parameters/disable_default_svc", "Y\n");
    let report = off.report();
    assert_eq!((report.ids(), report.code), (ids(["default-service-off"]), 0));

    let unloaded = DoctorFixture::one();
    unloaded.host.node.unload_driver().unwrap();
    assert_eq!(unloaded.ids(), ids(["driver-module-missing"]));

    let without_user = DoctorFixture::podman();
    without_user.remove("sys/module/cxi_user");
    assert_eq!(without_user.ids(), ids(["driver-module-missing"]));

    let old = DoctorFixture::podman();
    fs::rename(old.path("sys/module/cxi_ss1"), old.path("sys/module/cxi_core")).unwrap();
    assert_eq!(old.ids(), ids(["driver-old"]));

    let unbound = DoctorFixture::one();
    unbound.host.node.unbind("0000:21:00.0").unwrap();
    assert_eq!(unbound.ids(), ids(["nic-unbound"]));

    let foreign = DoctorFixture::one();
    foreign.host.node.unbind("0000:21:00.0").unwrap();
    let nic = "sys/bus/pci/devices/0000:21:00.0";
    foreign.link(&format!("{nic}/driver"), "../../../../bus/pci/drivers/vfio-pci");
    assert_eq!(foreign.ids(), ids(["nic-foreign-driver"]));

    let no_class = DoctorFixture::one();
    no_class.remove("sys/class/cxi_user/cxi0");
    assert_eq!(no_class.ids(), ids(["nic-not-in-class"]));

    let odd = DoctorFixture::podman();
    odd.link("sys/class/cxi_user/nonsense", "../../devices");
    assert_eq!(odd.ids(), ids(["sysfs-inconsistent"]));

    let down = DoctorFixture::podman();
    down.host.node.link("0000:21:00.0", false).unwrap();
    assert_eq!(down.ids(), ids(["condition-link"]), "the netdev follows");

    let admin_down = DoctorFixture::podman();
    admin_down
        .host
        .node
        .set("0000:21:00.0", "net/hsn0/operstate", b"down\n")
        .unwrap();
    assert_eq!(admin_down.ids(), ids(["condition-netdev-up"]));

    let blind = DoctorFixture::podman();
    for attribute in ["properties/link", "properties/nid", "properties/pct_eq"] {
        blind.host.node.unset("0000:21:00.0", attribute).unwrap();
    }
    assert_eq!(blind.ids(), ids(["condition-readable"]));
}

#[test]
fn what_is_wrong_with_libraries_is_found() {
    let gone = DoctorFixture::podman();
    gone.remove("opt/cray/lib64");
    assert_eq!(gone.ids(), ids(["library-missing"]));
    gone.write("etc/cxi-device-plugin/config.toml", "[libraries]\nmode = 'none'\n");
    assert_eq!(gone.ids(), ids([]));

    let need = DoctorFixture::podman();
    let gone = Library {
        soname: "libgone.so.1",
        ..PLAIN
    }
    .make(&need.host.path("elsewhere"));
    let libfabric = need.path("opt/cray/lib64/libfabric.so.1.30.0");
    let made = Library {
        soname: "libfabric.so.1",
        needs: &[&gone],
        ..PLAIN
    }
    .make(&need.host.path("made"));
    fs::copy(made, &libfabric).unwrap();
    assert_eq!(need.ids(), ids(["library-need-missing"]));

    let broken = DoctorFixture::podman();
    broken.write("usr/lib64/libcxi.so.9", "not a library");
    assert_eq!(broken.ids(), ids(["library-unusable"]));
}

#[test]
fn netdevs_that_the_host_needs_are_named_where_pods_could_take_them() {
    let heading = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    let fixture = good_cluster();
    fixture.write(
        "proc/net/route",
        &format!("{heading}hsn0\t0000FD0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"),
    );
    assert_eq!(fixture.ids(), ids([]), "nobody takes them");
    fixture.write(
        "etc/cni/net.d/00-multus.conf",
        r#"{"type": "multus", "delegates": [{"type": "cilium-cni"}]}"#,
    );
    let report = fixture.report();
    assert_eq!(
        (report.ids(), report.code),
        (ids(["multus-configured", "netdev-used-by-host"]), 0)
    );
    fixture.write(
        "etc/cni/multus/net.d/hsn.conf",
        r#"{"type": "host-device", "device": "hsn0"}"#,
    );
    let report = fixture.report();
    assert_eq!(
        (report.levels()["netdev-used-by-host"].as_str(), report.code),
        ("warning", 3)
    );
    fixture.write("proc/net/route", heading);
    assert_eq!(fixture.ids(), ids(["multus-configured"]));
    let address = |address: &str, scope: &str| format!("{address} 03 40 {scope} 80     hsn0\n");
    fixture.write("proc/net/if_inet6", &address("fe800000000000000000000000000012", "20"));
    assert_eq!(
        fixture.ids(),
        ids(["multus-configured"]),
        "every interface has such an address"
    );
    fixture.write("proc/net/if_inet6", &address("fd000000000000000000000000000012", "00"));
    assert_eq!(fixture.ids(), ids(["multus-configured", "netdev-used-by-host"]));
    fixture.remove("proc/net/if_inet6");
    let route6 = |target: &str| {
        format!(
            "{target} 40 {0} 00 {0} 00000100 00000001 00000000 00000001     hsn0\n",
            "0".repeat(32)
        )
    };
    fixture.write(
        "proc/net/ipv6_route",
        &(route6("fe800000000000000000000000000000") + &route6(&format!("ff{}", "0".repeat(30)))),
    );
    assert_eq!(fixture.ids(), ids(["multus-configured"]));
    fixture.write("proc/net/ipv6_route", &route6(&format!("fd{}", "0".repeat(30))));
    assert_eq!(fixture.ids(), ids(["multus-configured", "netdev-used-by-host"]));
    // A pod has it now, as it should.
    let taken = DoctorFixture::new(&Variant::V10.nics()).with_static_spec();
    taken.write("etc/cni/net.d/00-multus.conf", r#"{"type": "multus-shim"}"#);
    assert_eq!(taken.report().code, 0);
}

#[test]
fn what_is_wrong_with_kubelet_and_the_unit_is_found() {
    let rival = good_cluster();
    rival.write("var/lib/kubelet/device-plugins/beta.hpe.com_cxi", "");
    assert_eq!(rival.ids(), ids(["kubelet-other-plugin"]));

    let elsewhere = good_cluster();
    elsewhere.remove("var/lib/kubelet/device-plugins/kubelet.sock");
    assert_eq!(elsewhere.ids(), ids(["kubelet-socket-missing"]));

    let unit = "usr/lib/systemd/system/cxi-device-plugin.service";
    let wants = "etc/systemd/system/multi-user.target.wants/cxi-device-plugin.service";
    let dead = good_cluster();
    dead.remove("proc/900");
    assert_eq!(dead.ids(), ids(["daemon-not-running"]));
    dead.remove(wants);
    assert_eq!(dead.ids(), ids(["unit-not-enabled"]));
    dead.remove(unit);
    assert_eq!(dead.ids(), ids(["unit-missing"]));
    let masked = good_cluster();
    masked.link("etc/systemd/system/cxi-device-plugin.service", "/dev/null");
    assert_eq!(masked.ids(), ids(["unit-not-enabled"]));
}

#[test]
fn the_configuration_of_the_host_says_where_things_are_and_what_is_kept() {
    let file = "etc/cxi-device-plugin/config.toml";
    let elsewhere = good_cluster();
    let lib = elsewhere.path("var/lib");
    fs::create_dir_all(lib.join("k0s")).unwrap();
    fs::rename(lib.join("kubelet"), lib.join("k0s/kubelet")).unwrap();
    assert_eq!(elsewhere.ids(), ids(["kubelet-socket-missing"]));
    elsewhere.write(file, "[kubelet]\ndir = '/var/lib/k0s/kubelet/device-plugins'\n");
    assert_eq!(elsewhere.ids(), ids([]));
    elsewhere.write(file, "[kubelet]\ndri = '/var/lib/k0s'\n");
    assert_eq!(
        elsewhere.ids(),
        ids(["configuration-invalid", "kubelet-socket-missing"])
    );

    let kept = DoctorFixture::one();
    assert_eq!(kept.ids(), ids(["cdi-name-missing"]));
    kept.write("etc/cxi-device-plugin/config.d/x.toml", "exclude = ['0000:21:00.0']\n");
    assert_eq!(kept.ids(), ids([]));
}

/// The daemon's own record is believed only while it runs.
#[tokio::test]
async fn what_the_running_daemon_says_is_heard() {
    let fixture = DoctorFixture::of_cluster(&[NicSpec::new(Kind::Cassini1)], "containerd", &[CONTAINERD_2]);
    let (daemon, _kubelet) = fixture.running().await;
    let record = "run/cxi-device-plugin/status.json";
    let mut status: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(fixture.path(record)).unwrap()).unwrap();
    // The next scan would write the true record again.
    daemon.pause();
    status["kubelet"] = serde_json::json!({ "state": "not_registered", "reason": "refused" });
    status["sources"][0]["lost"] = "no permission".into();
    let conditions = status["nics"][0]["conditions"].as_array_mut().unwrap();
    let of_handler = conditions
        .iter_mut()
        .find(|condition| condition["check"] == "retry-handler");
    of_handler.unwrap()["verdict"] = "warn".into();
    fixture.write(record, &status.to_string());
    assert_eq!(
        fixture.ids(),
        ids(["kubelet-not-registered", "event-source-lost", "condition-retry-handler"])
    );
    daemon.kill();
    assert_eq!(fixture.ids(), ids(["daemon-not-running"]));
}

#[test]
fn what_cannot_be_read_is_no_finding_but_is_said() {
    let fixture = good_cluster();
    fixture.write("etc/containerd/config.toml", "version = [");
    fixture.write("etc/cni/net.d/10-x.conf", "{");
    fixture.remove("run/cxi-device-plugin");
    fixture.write("run/cxi-device-plugin/status.json", "{");
    fixture.write("proc/net/route", &"x".repeat(5 << 20));
    let report = fixture.report();
    assert_eq!((report.ids(), report.code), (ids([]), 0), "{}", report.value);
    let output = fixture.doctor(&[]);
    assert_eq!(output.code, 0);
    for what in [
        "config.toml: not TOML",
        "10-x.conf: not JSON",
        "status.json",
        "route: longer than",
    ] {
        assert_has(&output.stdout, what);
    }
    assert_has(&output.stdout, "could not be read");
}

/// Links of the tree mean paths of the tree, and a pipe is nothing to wait for.
#[test]
fn a_hostile_tree_leads_nowhere() {
    let fixture = good_cluster();
    let outside = fixture.host.path("outside.toml");
    fs::write(&outside, WITHOUT_CDI).unwrap();
    fixture.remove("etc/containerd/config.toml");
    fixture.link("etc/containerd/config.toml", outside.to_str().unwrap());
    let report = fixture.report();
    assert_eq!(report.ids(), ids([]), "{}", report.value);
    fixture.remove("etc/containerd/config.toml");
    nix::unistd::mkfifo(
        &fixture.path("etc/containerd/config.toml"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    fixture.link("etc/cni/net.d", "net.d");
    let _socket = UnixListener::bind(fixture.path("proc/net")).ok();
    let output = fixture.doctor(&[]);
    assert_has(&output.stdout, "config.toml: not a regular file");
}

/// The keys that programs go by.
#[test]
fn the_report_for_programs_keeps_its_shape() {
    let report = DoctorFixture::new(&Variant::V6.nics()).with_static_spec().report();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&report.value), "findings pods summary unknown");
    assert_eq!(keys(&report.value["summary"]), "nics notes problems unknown warnings");
    let finding = &report.findings()[0];
    assert_eq!(keys(finding), "evidence id level remedy subject what");
    assert_eq!(keys(&finding["evidence"][0]), "path value");
    assert_eq!(
        (
            finding["id"].as_str(),
            finding["level"].as_str(),
            finding["subject"].as_str()
        ),
        (
            Some("condition-fabric-address"),
            Some("problem"),
            Some("0000:21:00.0 (cxi0, hsn0)")
        )
    );
}

#[test]
fn people_get_what_is_wrong_why_and_what_to_do() {
    let fixture = DoctorFixture::new(&Variant::V14.nics()).with_static_spec();
    fixture.write("sys/module/cxi_ss1/parameters/disable_default_svc", "Y\n");
    let output = fixture.doctor(&[]);
    assert_eq!(output.code, 3);
    let problem = output
        .stdout
        .find("problem condition-retry-handler: 0000:21:00.0 (cxi0, hsn0)\n")
        .unwrap();
    let note = output.stdout.find("note default-service-off").unwrap();
    assert!(problem < note);
    assert_has(
        &output.stdout,
        "    read: /sys/bus/pci/devices/0000:21:00.0/properties/pct_eq = 0\n",
    );
    assert_has(&output.stdout, "\n1 NIC: 1 problem, 0 warnings, 1 note\n");
    assert!(!output.stdout.contains('\x1b'), "colours are for terminals");
    assert_eq!(doctor(Path::new("/nonexistent"), &[]).code, 78);
}

/// docs/doctor.md has a row for each id, and none for others.
#[test]
fn the_catalogue_is_complete() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md")).unwrap();
    let listed: BTreeSet<String> = (page.lines())
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let conditions = Check::OF_NIC.into_iter().map(FindingId::Condition);
    let known: BTreeSet<String> = (FindingId::OWN.iter().copied().chain(conditions))
        .map(|id| id.to_string())
        .collect();
    assert_eq!(listed, known);
}

/// Anybody can give a program the name of a daemon.
#[test]
fn a_process_counts_by_its_owner_its_namespace_and_its_unit_not_by_its_name() {
    let status = |uid: &str, pids: &str| format!("Name:\tx\nUid:\t{uid}\nNSpid:\t{pids}\n");
    let roots = status("0\t0\t0\t0", "950");
    let service = "0::/system.slice/x.service\n";
    for name in ["kubelet", "containerd", "crio", "dockerd", "cxi-device-plug"] {
        for (what, status, cgroup) in [
            ("a user's", status("1000\t1000\t1000\t1000", "950"), service),
            ("a user's with a setuid bit", status("1000\t0\t0\t0", "950"), service),
            ("a container's", status("0\t0\t0\t0", "950\t1"), service),
            (
                "of a session",
                roots.clone(),
                "0::/user.slice/user-0.slice/session-1.scope\n",
            ),
            (
                "of a pod",
                roots.clone(),
                "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n",
            ),
        ] {
            let node = DoctorFixture::podman();
            node.process(950, name, SMALL);
            node.write("proc/950/cmdline", "/usr/bin/cxi-device-plugin\0run\0");
            node.write("proc/950/status", &status).write("proc/950/cgroup", cgroup);
            let report = node.report();
            assert_eq!(report.ids(), ids([]), "{name}, {what}: {}", report.value);
        }
    }
}

#[test]
fn no_remedy_sends_root_to_what_a_user_could_make() {
    let elsewhere = good_cluster();
    elsewhere.remove("var/lib/kubelet/device-plugins/kubelet.sock");
    let remedy = elsewhere.report().findings()[0]["remedy"].as_str().unwrap().to_owned();
    assert!(!remedy.contains("find /"), "{remedy}");
    assert_has(&remedy, "journalctl -b -u kubelet.service");

    let open = DoctorFixture::podman();
    let file = "etc/cdi/x; touch owned.yaml";
    open.write(
        file,
        &fs::read_to_string(open.path("etc/cdi/hpe.com-cxi.yaml")).unwrap(),
    );
    open.remove("etc/cdi/hpe.com-cxi.yaml");
    fs::set_permissions(open.path(file), fs::Permissions::from_mode(0o600)).unwrap();
    let report = open.report();
    assert_eq!(report.ids(), ids(["cdi-not-readable"]), "{}", report.value);
    assert_eq!(
        report.findings()[0]["remedy"].as_str(),
        Some("chmod 644 '/etc/cdi/x; touch owned.yaml'")
    );
}

/// The daemon may serve kubelet in a directory that only a flag of its unit names.
#[tokio::test]
async fn a_daemon_that_is_registered_is_believed() {
    let fixture = DoctorFixture::of_cluster(&four(Kind::Cassini1), "containerd", &[CONTAINERD_2]);
    let (daemon, _kubelet) = fixture.running().await;
    let elsewhere = fixture.path("var/lib/elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let output = fixture.doctor(&["--kubelet-dir", elsewhere.to_str().unwrap(), "--output", "json"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(daemon.terminate().code(), Some(0));
}
