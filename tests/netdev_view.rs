//! `--netdev-view sysfs`: the binds that show containers the host's netdevs of their NICs, in the spec and in the answers to
//! kubelet. What a container makes of them is for `tests/e2e/netdev-view` and the virtual machine.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::daemon::{A, B, DaemonFixture, RESOURCE, nics, wait_for};
use common::generator_fixture::{FIRST, GeneratorFixture, SECOND, assert_has, device, names, nic, targets, yaml};
use common::{Generator, Output};
use cxi_device_plugin::model::cdi::model::{CDI_VERSION, Mount, Spec};
use cxi_sim::node::Variant;

const VIEW: &str = "--netdev-view=sysfs";
const CLASS: &str = "/sys/class/net";
const FIRST_DIRECTORY: &str = "/sys/devices/pci0000:20/0000:20:01.1/0000:21:00.0";
const SECOND_DIRECTORY: &str = "/sys/devices/pci0000:60/0000:60:01.1/0000:61:00.0";

fn two() -> GeneratorFixture {
    GeneratorFixture::new(&[nic(FIRST), nic(SECOND)])
}

/// Where a device's own mounts land.
fn seen<'a>(spec: &'a Spec, name: &str) -> Vec<&'a str> {
    let mounts = device(spec, name).container_edits.mounts.iter();
    mounts.map(|mount| mount.container_path.as_str()).collect()
}

fn read_only(host: impl AsRef<Path>, container: &str) -> Mount {
    Mount {
        host_path: host.as_ref().to_str().unwrap().to_owned(),
        container_path: container.to_owned(),
        options: ["ro", "nosuid", "nodev", "noexec", "rbind", "rprivate"]
            .map(str::to_owned)
            .into(),
    }
}

fn class_mounts(spec: &Spec) -> Vec<&Mount> {
    let mounts = spec.container_edits.mounts.iter();
    mounts.filter(|mount| mount.container_path == CLASS).collect()
}

#[test]
fn without_the_flag_nothing_of_sysfs_is_mounted() {
    let fixture = two();
    let text = fixture.say([]).stdout;
    assert!(!text.contains("/sys"), "{text}");
    assert_eq!(fixture.say(["--netdev-view=off"]).stdout, text);
}

#[test]
fn each_device_shows_its_own_function_and_the_class_is_mounted_once_for_all() {
    let spec = two().spec([VIEW]);
    assert_eq!(spec.cdi_version, CDI_VERSION);
    for name in [FIRST, "cxi0", "0"] {
        let expected = [read_only(FIRST_DIRECTORY, FIRST_DIRECTORY)];
        assert_eq!(device(&spec, name).container_edits.mounts, expected, "{name}");
    }
    for name in [SECOND, "cxi1", "1"] {
        assert_eq!(seen(&spec, name), [SECOND_DIRECTORY], "{name}");
    }
    assert_eq!(seen(&spec, "all"), [FIRST_DIRECTORY, SECOND_DIRECTORY]);
    assert_eq!(class_mounts(&spec), [&read_only(CLASS, CLASS)]);
}

#[test]
fn everything_else_in_the_spec_stays_as_it_is() {
    let fixture = two();
    let (without, mut with) = (fixture.spec([]), fixture.spec([VIEW]));
    with.container_edits
        .mounts
        .retain(|mount| !mount.container_path.starts_with("/sys"));
    for device in &mut with.devices {
        device.container_edits.mounts.clear();
    }
    assert_eq!(with, without);
}

#[test]
fn only_the_nics_of_the_spec_are_shown() {
    let spec = two().spec([VIEW, "--device", SECOND]);
    assert_eq!(names(&spec), [SECOND, "cxi1", "1", "all"]);
    assert_eq!(seen(&spec, "all"), [SECOND_DIRECTORY]);
}

#[test]
fn swapped_numbers_do_not_matter_since_functions_are_shown() {
    let fixture = GeneratorFixture::new(&Variant::V3.nics());
    let spec = fixture.spec([VIEW]);
    for (pci, cxi, netdev, directory) in [
        (FIRST, "cxi1", "hsn0", FIRST_DIRECTORY),
        (SECOND, "cxi0", "hsn1", SECOND_DIRECTORY),
    ] {
        assert_eq!(seen(&spec, cxi), [directory]);
        assert_eq!(seen(&spec, pci), [directory]);
        assert!(fixture.sysfs(pci).join("net").join(netdev).is_dir());
    }
}

#[test]
fn a_virtual_function_is_shown_without_its_physical_one() {
    let fixture = GeneratorFixture::new(&Variant::V12.nics());
    let spec = fixture.spec([VIEW, "--functions=vf"]);
    let [vf, ..] = names(&spec)[..] else {
        panic!("no VF in {spec:?}")
    };
    assert_ne!(vf, FIRST);
    assert_eq!(seen(&spec, vf), [FIRST_DIRECTORY.replace(FIRST, vf)]);
}

/// It may come, go and be moved about: the spec says the same, and a container sees what there is.
#[test]
fn the_netdev_is_of_no_matter() {
    let (with, without) = (
        GeneratorFixture::one(),
        GeneratorFixture::new(&[nic(FIRST).variant(Variant::V10)]),
    );
    assert!(!without.sysfs(FIRST).join("net").exists());
    assert_eq!(without.say([VIEW]).stdout, with.say([VIEW]).stdout);
    fs::remove_dir_all(with.sysfs(FIRST).join("net/hsn0")).unwrap();
    assert_eq!(without.say([VIEW]).stdout, with.say([VIEW]).stdout);
}

#[test]
fn host_paths_are_those_of_the_host_and_container_paths_those_of_any_container() {
    let fixture = GeneratorFixture::one();
    let top = fixture.node.root();
    let places = |generator: &mut Generator| {
        let spec = yaml(&generator.arg(VIEW).dry_run());
        let of_nic = device(&spec, FIRST).container_edits.mounts.clone();
        [of_nic, class_mounts(&spec).into_iter().cloned().collect()].concat()
    };
    let below = |root: &Path| {
        [FIRST_DIRECTORY, CLASS].map(|path| read_only(root.join(path.strip_prefix("/sys/").unwrap()), path))
    };
    assert_eq!(places(&mut Generator::below(top)), below(Path::new("/sys")));
    assert_eq!(places(&mut Generator::at(top)), below(&top.join("sys")));
    fs::rename(top.join("sys"), top.join("hostsys")).unwrap();
    let both = &mut Generator::below(top);
    assert_eq!(places(both.env("SYSFS_ROOT", "/hostsys")), below(Path::new("/hostsys")));
}

/// Has the first NIC's entry in `bus/pci/devices` lead to it by this way.
fn lead(top: &Path, way: &str) {
    let functions = top.join("sys/bus/pci/devices");
    let (entry, there) = (functions.join(FIRST), functions.join(way));
    fs::remove_file(&entry).unwrap();
    symlink(way, entry).unwrap();
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    symlink(top.join(FIRST_DIRECTORY.trim_start_matches('/')), there).unwrap();
}

fn lost(way: &str) -> GeneratorFixture {
    let fixture = two();
    lead(fixture.node.root(), way);
    fixture
}

const ASTRAY: [&str; 3] = [
    "../../../devices/platform/0000:21:00.0",
    "../../../devices/pci0000:20/0000:20:01.1/elsewhere",
    "../../../devices/pci0000:20/../0000:21:00.0",
];

#[test]
fn a_nic_whose_place_is_unknown_gets_no_view_and_a_warning_and_its_neighbour_has_its_own() {
    for way in ASTRAY {
        let fixture = lost(way);
        let Output { stdout, stderr, .. } = fixture.say([VIEW]);
        let spec = yaml(&stdout);
        assert_eq!(seen(&spec, FIRST), [""; 0], "{way}: {stderr}");
        assert_eq!(seen(&spec, SECOND), [SECOND_DIRECTORY], "{way}");
        assert_eq!(seen(&spec, "all"), [SECOND_DIRECTORY], "{way}");
        let warning = stderr.lines().find(|line| line.starts_with("warning: "));
        let warning = warning.unwrap_or_else(|| panic!("{way}: no warning in {stderr}"));
        assert_has(warning, "/sys/bus/pci/devices/0000:21:00.0: ");
        assert_has(warning, "containers get no netdev view of this NIC");
        assert_eq!(fixture.say([]).stderr, "", "{way}: without the view nothing is missing");
    }
}

#[test]
fn where_no_nic_can_be_shown_the_class_is_left_alone() {
    let fixture = lost(ASTRAY[0]);
    fixture.node.remove(SECOND).unwrap();
    let spec = fixture.spec([VIEW]);
    assert_eq!(names(&spec), [FIRST, "cxi0", "0", "all"]);
    assert!(!targets(&spec).contains(&CLASS), "{spec:?}");
}

#[test]
fn verify_and_list_know_a_spec_with_the_view() {
    let fixture = two();
    assert_eq!(fixture.write([VIEW]).code, 0);
    let verify = |view: &str| fixture.generator_of("verify").arg(view).write_to(&fixture.cdi());
    assert_eq!(verify(VIEW).code, 0);
    let without = verify("--netdev-view=off");
    assert_eq!(without.code, 3);
    assert_has(&without.stdout, "-  - hostPath: /sys/class/net\n");
    let listed = fixture
        .generator_of("list")
        .args(["--output", "json"])
        .write_to(&fixture.cdi());
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let devices = listed["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 7);
    assert!(devices.iter().all(|device| device["state"] == "ok"), "{listed}");
}

#[test]
fn a_wrong_value_is_wrong_usage() {
    let output = GeneratorFixture::one()
        .generator()
        .arg("--netdev-view=all")
        .arg("-n")
        .output();
    assert_eq!(output.code, 2);
    assert_has(&output.stderr, "[possible values: off, sysfs]");
}

/// What kubelet is told to mount of sysfs for these NICs, each as path in the container and on the host.
async fn allocated(host: &DaemonFixture, ids: &[&str]) -> Vec<(String, String)> {
    let kubelet = host.kubelet();
    wait_for(&kubelet, &[(A, true), (B, true)]).await;
    let asked = ids.iter().map(|&id| id.to_owned()).collect();
    let answer = kubelet.allocate(RESOURCE, vec![asked]).await.unwrap();
    let mounts = answer.container_responses[0].mounts.iter();
    let of_sysfs = mounts.filter(|mount| mount.container_path.starts_with("/sys/"));
    let of_sysfs = of_sysfs.inspect(|mount| assert!(mount.read_only, "{mount:?}"));
    of_sysfs
        .map(|mount| (mount.container_path.clone(), mount.host_path.clone()))
        .collect()
}

fn same(paths: &[&str]) -> Vec<(String, String)> {
    paths.iter().map(|&path| (path.to_owned(), path.to_owned())).collect()
}

#[tokio::test]
async fn direct_answers_carry_the_mounts_of_the_nics_asked_for() {
    let host = DaemonFixture::new(&nics(2));
    let _daemon = host.start(&[VIEW]);
    assert_eq!(allocated(&host, &[B]).await, same(&[CLASS, SECOND_DIRECTORY]));
    let both = same(&[CLASS, FIRST_DIRECTORY, SECOND_DIRECTORY]);
    assert_eq!(allocated(&host, &[B, A]).await, both);
}

#[tokio::test]
async fn without_the_flag_direct_answers_mount_nothing_of_sysfs() {
    let host = DaemonFixture::new(&nics(2));
    let _daemon = host.start(&[]);
    assert_eq!(allocated(&host, &[A, B]).await, []);
}

#[tokio::test]
async fn with_cdi_names_the_spec_carries_the_mounts_and_the_daemon_trusts_it() {
    let host = DaemonFixture::new(&nics(2));
    let _daemon = host.start(&[VIEW, "--enable-cdi"]);
    assert_eq!(allocated(&host, &[A, B]).await, []);
    let spec = yaml(&host.spec());
    assert_eq!(seen(&spec, A), [FIRST_DIRECTORY]);
    assert_eq!(class_mounts(&spec).len(), 1);
}

#[tokio::test]
async fn the_daemon_warns_once_of_a_nic_that_it_cannot_show() {
    let host = DaemonFixture::new(&nics(2));
    lead(host.node.root(), ASTRAY[0]);
    let daemon = host.start(&[VIEW]);
    assert_eq!(allocated(&host, &[A]).await, same(&[CLASS]));
    let warnings = daemon.log().matches("no netdev view").count();
    assert_eq!(warnings, 1, "{}", daemon.log());
}
