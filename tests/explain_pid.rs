//! `cxi-device-plugin explain --pid`: each finding, on a made-up `/proc`. That real containers do what is said is for
//! `tests/e2e/explain`.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::daemon::{A, B};
use common::hang::Hang;
use common::skip::{Need, skip};
use common::{Output, mounts, numbered, scratch};
use cxi_device_plugin::model::services::abi::{self, Request};
use cxi_device_plugin::model::services::descriptor::{Descriptor, Member};
use cxi_sim::driver::{Caller, Nic, Parameters, Supervised};
use cxi_sim::node::{DeviceNodes, Kind, NicSpec, Node};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::Value;
use tempfile::TempDir;

const PID: &str = "4711";

/// A host with two NICs, and a process in a container that has both and all that libfabric wants.
struct ContainerFixture {
    folder: TempDir,
    host: Node,
    container: Node,
}

impl ContainerFixture {
    /// None where no device nodes can be made: then there is nothing to find in a container.
    fn new() -> Option<Self> {
        let nics = [NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)];
        let folder = scratch();
        let host = Node::create(folder.path().join("host"), &nics).unwrap();
        if host.device_nodes().unwrap() != DeviceNodes::Character {
            skip(Need::Root, "no device nodes can be made");
            return None;
        }
        let container = Node::create(folder.path().join("container"), &nics).unwrap();
        let fixture = Self {
            folder,
            host,
            container,
        };
        fixture.make_libraries();
        fixture.put(
            "status",
            "Name:\tmpi\nState:\tS (sleeping)\nUid:\t7 7 7 7\nGid:\t7 7 7 7\nGroups:\t\nCapEff:\t0\n",
        );
        fixture.put(
            "limits",
            "Max locked memory         unlimited            unlimited            bytes\n",
        );
        fixture.put("mountinfo", "1 0 0:1 / / rw - overlay overlay rw\n");
        fixture.put("environ", "");
        for namespace in ["net", "user"] {
            fixture.link(namespace, PID, "host's");
            fixture.link(namespace, "1", "host's");
        }
        symlink(fixture.container.root(), fixture.proc("root")).unwrap();
        Some(fixture)
    }

    /// The host's libfabric and libcxi where the container's loader looks, as the same files.
    fn make_libraries(&self) {
        let libraries = self.container.root().join("usr/lib64");
        for gone in ["usr/lib64", "opt/cray/lib64"] {
            fs::remove_dir_all(self.container.root().join(gone)).unwrap();
        }
        fs::create_dir_all(&libraries).unwrap();
        for (from, name) in [("opt/cray/lib64", "libfabric.so.1"), ("usr/lib64", "libcxi.so.1")] {
            let file = fs::canonicalize(self.host.root().join(from).join(name)).unwrap();
            fs::hard_link(&file, libraries.join(name)).unwrap();
            // Any library will do for the one that these need.
            fs::copy(&file, libraries.join("libc.so.6")).unwrap();
        }
        self.loader("lib64/ld-linux-x86-64.so.2");
    }

    fn loader(&self, name: &str) {
        let name = match std::env::consts::ARCH {
            "aarch64" if name.contains("linux") => "lib/ld-linux-aarch64.so.1",
            _ => name,
        };
        let loader = self.container.root().join(name);
        fs::create_dir_all(loader.parent().unwrap()).unwrap();
        fs::write(loader, b"\0/lib64/\0/usr/lib64/\0").unwrap();
    }

    fn proc(&self, name: &str) -> PathBuf {
        self.of(PID, name)
    }

    fn of(&self, pid: &str, name: &str) -> PathBuf {
        let path = self.host.root().join("proc").join(pid).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.proc(name), text).unwrap();
    }

    fn link(&self, namespace: &str, pid: &str, of: &str) {
        let link = self.of(pid, &format!("ns/{namespace}"));
        let _ = fs::remove_file(&link);
        symlink(format!("{namespace}:[{of}]"), link).unwrap();
    }

    /// A place in the container.
    fn at(&self, path: &str) -> PathBuf {
        self.container.root().join(path)
    }

    fn explain(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap().into()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT"] {
            command.env_remove(variable);
        }
        command.args(["explain", "--pid"]).args(args);
        command.arg("--root").arg(self.host.root());
        command.arg("--run-dir").arg(self.folder.path().join("run"));
        command
    }

    /// The report, where a driver in memory answers for the services of both NICs.
    fn report_with(&self, services: &[Descriptor]) -> Report {
        let mut nic = Nic::new(Parameters::default());
        for service in services {
            let commands = if service.id == 1 {
                vec![Request::with_value(abi::Command::ServiceEnable, 1, 1)]
            } else {
                vec![Request::alloc(&service.to_bytes())]
            };
            for request in commands.iter().chain(&netns_of(service)) {
                nic.command(9, &ADMIN, &request.bytes(1, 1)).result.unwrap();
            }
        }
        let node = |name: &str| fs::canonicalize(self.host.root()).unwrap().join("dev").join(name);
        let nics = ["cxi0", "cxi1"].map(|name| (node(name), nic.clone()));
        let nics = Arc::new(Mutex::new(BTreeMap::from(nics)));
        let command = self.command(&[PID, "--output", "json"]);
        let output: Output = Supervised::start(command, &nics, ADMIN)
            .unwrap()
            .output()
            .unwrap()
            .into();
        let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        Report {
            code: output.code,
            json,
        }
    }

    /// It is refused both NICs for this reason alone.
    #[track_caller]
    fn refused_for(&self, services: &[Descriptor], words: &[&str]) {
        let report = self.report_with(services);
        assert_eq!(report.code, 3, "{report:?}");
        for nic in [A, B] {
            assert_eq!(report.nic(nic)["verdict"], "refused", "{report:?}");
            assert_eq!(kinds(&report.nic(nic)["findings"]), ["cxi-service"], "{report:?}");
            let reason = report.nic(nic)["findings"][0]["reason"].as_str().unwrap();
            for words in words {
                assert!(reason.contains(words), "{words}: {reason}");
            }
        }
        assert_eq!(kinds(&report.json["findings"]), [""; 0], "{report:?}");
    }

    #[track_caller]
    fn accepted_by(&self, services: &[Descriptor]) {
        let report = self.report_with(services);
        assert_eq!(report.code, 0, "{report:?}");
        for nic in [A, B] {
            assert_eq!(report.nic(nic)["verdict"], "accepted", "{report:?}");
        }
        assert_eq!(kinds(&report.json["findings"]), [""; 0], "{report:?}");
    }

    fn report(&self) -> Report {
        let output = self.explain(&[PID, "--output", "json"]);
        let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        Report {
            code: output.code,
            json,
        }
    }

    /// Both NICs have this verdict and, of what is not `ok`, exactly these kinds; beside them the container.
    #[track_caller]
    fn expect(&self, code: i32, verdict: &str, of_nic: &[&str], of_container: &[&str]) -> Report {
        let report = self.report();
        assert_eq!(report.code, code, "{report:?}");
        for nic in [A, B] {
            assert_eq!(report.nic(nic)["verdict"], verdict, "{report:?}");
            assert_eq!(kinds(&report.nic(nic)["findings"]), of_nic, "{report:?}");
        }
        // The emulated node answers no command; where there is no NIC, nothing is asked for either.
        let service = (verdict != "absent").then_some("cxi-service");
        let of_container: Vec<&str> = of_container.iter().copied().chain(service).collect();
        assert_eq!(kinds(&report.json["findings"]), of_container, "{report:?}");
        report
    }
}

const ADMIN: Caller = Caller {
    uid: 0,
    gid: 0,
    netns: 4_026_531_840,
    is_admin: true,
};

/// The driver's own, on.
fn default_service() -> Descriptor {
    Descriptor {
        id: 1,
        ..Descriptor::default()
    }
}

/// One for these.
fn service_for(members: &[Member]) -> Descriptor {
    Descriptor {
        restricted_members: true,
        restricted_vnis: true,
        vnis: vec![20],
        members: members.to_vec(),
        ..Descriptor::default()
    }
}

/// What it takes beside to admit a namespace: of the second service of a NIC.
fn netns_of(service: &Descriptor) -> Vec<Request> {
    let netns = service.members.iter().find_map(|member| match member {
        Member::Netns(netns) => Some(*netns),
        _ => None,
    });
    let switch = |on| Request::with_value(abi::Command::ServiceEnable, 2, on);
    netns.map_or(Vec::new(), |netns| {
        vec![
            switch(0),
            Request::with_value(abi::Command::SetNetns, 2, netns),
            switch(1),
        ]
    })
}

#[derive(Debug)]
struct Report {
    code: i32,
    json: Value,
}

impl Report {
    fn nic(&self, address: &str) -> &Value {
        let nics = self.json["nics"].as_array().unwrap();
        nics.iter().find(|nic| nic["address"] == address).unwrap()
    }
}

fn kinds(findings: &Value) -> Vec<&str> {
    let findings = findings.as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect()
}

/// The same for every finding that one change makes.
#[track_caller]
fn refused(change: impl Fn(&ContainerFixture), of_nic: &[&str], of_container: &[&str]) {
    let Some(fixture) = ContainerFixture::new() else { return };
    change(&fixture);
    fixture.expect(3, "refused", of_nic, of_container);
}

#[test]
fn a_container_that_has_all_is_accepted_and_the_service_is_unknown() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let report = fixture.expect(0, "accepted", &[], &[]);
    assert_eq!(report.nic(A)["netdev"], "hsn0");
    assert_eq!(report.json["findings"][0]["verdict"], "unknown");
    let output = fixture.explain(&[PID]);
    assert!(output.stdout.contains("what to do: see which services"), "{output:?}");
}

#[test]
fn a_process_that_no_service_admits_is_refused_in_a_pod_authors_words() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let host = "user 7 and group 7 of the host, in network namespace unknown";
    fixture.refused_for(
        &[],
        &["the default service (1) is off", host, "-38 (Function not implemented)"],
    );
    fixture.accepted_by(&[default_service()]);
    fixture.refused_for(
        &[service_for(&[Member::Uid(8), Member::Gid(9)])],
        &["service 2 is for user 8, group 9"],
    );
    fixture.accepted_by(&[service_for(&[Member::Uid(8), Member::Gid(7)])]);
    // Further groups do not count.
    fixture.put(
        "status",
        "Name:\tmpi\nState:\tS\nUid:\t7 7 7 7\nGid:\t7 7 7 7\nGroups:\t9\nCapEff:\t0\n",
    );
    fixture.refused_for(&[service_for(&[Member::Gid(9)])], &["service 2 is for group 9"]);
}

#[test]
fn a_service_for_a_namespace_admits_who_is_in_it() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.link("net", PID, "4026532000");
    fixture.link("net", "1", "4026532000");
    fixture.accepted_by(&[service_for(&[Member::Netns(4_026_532_000)])]);
    fixture.refused_for(
        &[service_for(&[Member::Netns(4_026_532_001)])],
        &[
            "service 2 is for network namespace 4026532001",
            "in network namespace 4026532000",
        ],
    );
}

#[test]
fn a_service_that_a_launcher_has_named_is_judged_alone() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let named = |ids: &str| {
        let variables = format!("SLINGSHOT_DEVICES=cxi0,cxi1\0SLINGSHOT_SVC_IDS={ids}\0SLINGSHOT_VNIS=20\0");
        fixture.put("environ", variables);
    };
    named("2,2");
    let error = "-22 (Invalid argument)";
    fixture.refused_for(
        &[service_for(&[Member::Uid(8)]), default_service()],
        &["names service 2", "for user 8", error],
    );
    fixture.accepted_by(&[service_for(&[Member::Uid(7)])]);
    named("5,5");
    fixture.refused_for(
        &[default_service()],
        &["names service 5, which the NIC does not have", error],
    );
    // A number that leads nowhere is as none.
    named(",");
    fixture.accepted_by(&[default_service()]);
}

#[test]
fn in_a_user_namespace_the_hosts_ids_count() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.link("user", PID, "4026532001");
    fixture.refused_for(&[], &["which the ids in its user namespace stand for"]);
}

/// Libfabric asks for the ids that the process has there, and the driver for those of the host.
#[test]
fn in_a_user_namespace_a_service_for_a_user_is_found_or_admits_but_not_both() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.link("user", PID, "4026532001");
    for map in ["uid_map", "gid_map"] {
        fixture.put(map, "         0          7          1\n");
    }
    let words = "by the ids that the process has in its user namespace (user 0, group 0)";
    let of_host = service_for(&[Member::Uid(7)]);
    let of_namespace = service_for(&[Member::Uid(0)]);
    let none = "-38 (Function not implemented)";
    fixture.refused_for(
        std::slice::from_ref(&of_host),
        &[words, "service 2 is for user 7", none],
    );
    fixture.refused_for(
        &[of_namespace.clone(), default_service()],
        &[
            words,
            "it takes service 2, which is for user 0",
            "-22 (Invalid argument)",
        ],
    );
    fixture.refused_for(
        &[service_for(&[Member::Gid(7)])],
        &[words, "service 2 is for group 7", none],
    );
    fixture.accepted_by(&[default_service()]);
    // Another user than the one that the namespace has.
    fixture.put("uid_map", "         0     100000      65536\n");
    fixture.refused_for(&[of_namespace], &["service 2 is for user 0"]);
    fixture.put(
        "environ",
        "SLINGSHOT_DEVICES=cxi0,cxi1\0SLINGSHOT_SVC_IDS=2,2\0SLINGSHOT_VNIS=20\0",
    );
    fixture.accepted_by(&[of_host]);
}

#[test]
fn a_container_without_a_node_has_no_nic() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fs::remove_file(fixture.at("dev/cxi0")).unwrap();
    let report = fixture.report();
    assert_eq!((report.code, &report.nic(A)["verdict"]), (0, &"absent".into()));
    assert_eq!(report.nic(B)["verdict"], "accepted");
    // Promised by kubelet's answer, and dropped by a runtime that does not know CDI.
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A}\0"));
    let report = fixture.report();
    assert_eq!((report.code, &report.nic(A)["verdict"]), (3, &"refused".into()));
    assert_eq!(kinds(&report.nic(A)["findings"]), ["no-node"]);
    fixture.put("environ", "");
    fs::remove_file(fixture.at("dev/cxi1")).unwrap();
    fixture.expect(3, "absent", &[], &["no-node"]);
}

#[test]
fn a_node_that_cannot_be_opened_or_is_another_is_named() {
    refused(
        |fixture| fixture.put("mountinfo", "1 0 0:1 / /dev rw,nodev - tmpfs tmpfs rw\n"),
        &["nodev"],
        &[],
    );
    refused(
        |fixture| {
            for node in ["dev/cxi0", "dev/cxi1"] {
                fs::set_permissions(fixture.at(node), fs::Permissions::from_mode(0o600)).unwrap();
            }
        },
        &["mode"],
        &[],
    );
    refused(
        |fixture| {
            for node in ["dev/cxi0", "dev/cxi1"] {
                fs::remove_file(fixture.at(node)).unwrap();
                fs::write(fixture.at(node), "").unwrap();
            }
        },
        &["stale-node"],
        &[],
    );
    refused(
        |fixture| {
            fixture.put("cgroup", "3:devices:/box\n0::/\n");
            let cgroup = fixture.host.root().join("sys/fs/cgroup/devices/box");
            fs::create_dir_all(&cgroup).unwrap();
            fs::write(cgroup.join("devices.list"), "c 1:3 rwm\nc 1:7 r\n").unwrap();
        },
        &["cgroup"],
        &[],
    );
}

impl ContainerFixture {
    /// Gives the nodes of the host these minor numbers, as the kernel gives each its own. None is ever opened.
    fn number_host_nodes(&self, minors: [u64; 2]) {
        for (node, minor) in ["cxi0", "cxi1"].into_iter().zip(minors) {
            make_node(&self.host.root().join("dev").join(node), minor);
            let numbers = self.host.root().join("sys/class/cxi_user").join(node).join("dev");
            fs::remove_file(&numbers).unwrap();
            fs::write(numbers, format!("1:{minor}\n")).unwrap();
        }
    }

    /// The container has these nodes and no others.
    fn number_own_nodes(&self, nodes: &[(&str, u64)]) {
        for entry in fs::read_dir(self.at("dev")).unwrap().flatten() {
            if entry.file_name().to_str().unwrap().starts_with("cxi") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for (node, minor) in nodes {
            make_node(&self.at("dev").join(node), *minor);
        }
    }
}

fn make_node(path: &Path, minor: u64) {
    let _ = fs::remove_file(path);
    let mode = Mode::from_bits_truncate(0o666);
    mknod(path, SFlag::S_IFCHR, mode, makedev(1, minor)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
}

/// As after a reboot that has numbered the NICs anew: kubelet gives what it has given before.
#[test]
fn a_nic_under_an_old_name_is_told_from_the_one_that_has_the_name_now() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.number_host_nodes([3, 5]);
    fixture.number_own_nodes(&[("cxi0", 3), ("cxi1", 5)]);
    fixture.expect(0, "accepted", &[], &[]);
    let reasons = |report: &Report, nic: &str| report.nic(nic)["findings"][0]["reason"].as_str().unwrap().to_owned();
    // Its own, which the host calls otherwise, and nothing of the other.
    fixture.number_own_nodes(&[("cxi7", 3)]);
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A}\0"));
    let report = fixture.report();
    assert_eq!(
        (report.code, &report.nic(B)["verdict"]),
        (3, &"absent".into()),
        "{report:?}"
    );
    assert_eq!(kinds(&report.nic(A)["findings"]), ["old-name"], "{report:?}");
    assert_eq!(
        reasons(&report, A),
        "cxi7 in this container is your NIC 0000:21:00.0, the host's cxi0: delete the pod"
    );
    // Each under the name that the other has on the host.
    fixture.number_own_nodes(&[("cxi0", 5), ("cxi1", 3)]);
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A},{B}\0"));
    let report = fixture.expect(3, "refused", &["old-name"], &[]);
    for (nic, here, there) in [(A, "cxi1", "cxi0"), (B, "cxi0", "cxi1")] {
        let expected = format!("{here} in this container is your NIC {nic}, the host's {there}: delete the pod");
        assert_eq!(reasons(&report, nic), expected);
    }
    // From before the names followed the address: the number went to another NIC.
    fixture.number_own_nodes(&[("cxi0", 5)]);
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A}\0"));
    let report = fixture.report();
    assert_eq!(kinds(&report.nic(A)["findings"]), ["no-node"], "{report:?}");
    assert_eq!(
        reasons(&report, B),
        "cxi0 in this container is another pod's NIC 0000:61:00.0, the host's cxi1: delete the pod"
    );
    // What is of no NIC any more is as stale as ever.
    fixture.number_own_nodes(&[("cxi0", 9)]);
    let report = fixture.report();
    assert_eq!(kinds(&report.nic(A)["findings"]), ["stale-node"], "{report:?}");
    assert_eq!(report.nic(B)["verdict"], "absent", "{report:?}");
}

/// Names without end, pipes and directories called like NICs.
#[test]
fn odd_things_called_like_nics_hide_none() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.number_host_nodes([3, 5]);
    fixture.number_own_nodes(&[("cxi9", 3)]);
    for number in 100..1000 {
        symlink("/dev/null", fixture.at(&format!("dev/cxi{number}"))).unwrap();
    }
    fs::create_dir(fixture.at("dev/cxi0")).unwrap();
    nix::unistd::mkfifo(&fixture.at("dev/cxi1"), Mode::S_IRWXU).unwrap();
    let report = fixture.report();
    assert_eq!(report.code, 3, "{report:?}");
    // What stands at its place decides nothing as long as a node with its numbers is there.
    assert_eq!(kinds(&report.nic(A)["findings"]), ["old-name"], "{report:?}");
    assert_eq!(kinds(&report.nic(B)["findings"]), ["stale-node"], "{report:?}");
}

#[test]
fn root_in_the_hosts_user_namespace_is_not_bound_by_modes() {
    let Some(fixture) = ContainerFixture::new() else { return };
    for node in ["dev/cxi0", "dev/cxi1"] {
        fs::set_permissions(fixture.at(node), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fixture.put(
        "status",
        "Name:\tmpi\nState:\tS\nUid:\t9 9 9 9\nGid:\t9 9 9 9\nCapEff:\t2\n",
    );
    fixture.expect(0, "accepted", &[], &[]);
    fixture.link("user", PID, "own");
    fixture.expect(3, "refused", &["mode"], &[]);
}

#[test]
fn a_hidden_sysfs_is_named() {
    refused(
        |fixture| fs::remove_dir_all(fixture.at("sys/class/cxi_user")).unwrap(),
        &[],
        &["sysfs"],
    );
    refused(
        |fixture| {
            for nic in [A, B] {
                let function = fs::canonicalize(fixture.at("sys/bus/pci/devices").join(nic)).unwrap();
                fs::remove_file(function.join("resource0")).unwrap();
            }
        },
        &["sysfs"],
        &[],
    );
}

#[test]
fn a_network_of_its_own_hides_the_netdevs() {
    let hide = |fixture: &ContainerFixture| {
        for netdev in ["hsn0", "hsn1"] {
            fs::remove_file(fixture.at("sys/class/net").join(netdev)).unwrap();
        }
        fixture.link("net", PID, "own");
    };
    refused(hide, &["netdev-view"], &[]);
    // Without the test of the address there is still no link to see.
    refused(
        |fixture| {
            hide(fixture);
            fixture.put("environ", "CXIP_SKIP_AMA_CHECK=1\0");
        },
        &["netdev-view"],
        &[],
    );
}

#[test]
fn an_address_or_a_state_that_libfabric_refuses_is_named() {
    let set = |fixture: &ContainerFixture, attribute: &str, value: &str| {
        for (nic, netdev) in [(A, "hsn0"), (B, "hsn1")] {
            let attribute = format!("net/{netdev}/{attribute}");
            fixture.container.set(nic, &attribute, value.as_bytes()).unwrap();
        }
    };
    refused(
        |fixture| set(fixture, "addr_assign_type", "0\n"),
        &["fabric-address"],
        &[],
    );
    refused(
        |fixture| set(fixture, "address", "00:40:a6:00:00:01\n"),
        &["fabric-address"],
        &[],
    );
    refused(|fixture| set(fixture, "operstate", "down\n"), &["netdev-up"], &[]);
    let Some(fixture) = ContainerFixture::new() else { return };
    set(&fixture, "addr_assign_type", "0\n");
    fixture.put("environ", "CXIP_SKIP_AMA_CHECK=1\0");
    fixture.expect(0, "accepted", &[], &[]);
}

#[test]
fn the_host_decides_about_retry_handler_and_link() {
    let Some(fixture) = ContainerFixture::new() else { return };
    for nic in [A, B] {
        fixture.host.set(nic, "properties/pct_eq", b"0\n").unwrap();
    }
    let report = fixture.expect(3, "refused", &["retry-handler"], &[]);
    let remedy = report.nic(A)["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("reboot") && !remedy.contains("restart"), "{remedy}");
    fixture.put("environ", "CXIP_SKIP_RH_CHECK=1\0");
    fixture.expect(0, "accepted", &[], &[]);
    for nic in [A, B] {
        fixture.host.link(nic, false).unwrap();
    }
    let report = fixture.report();
    assert!(kinds(&report.nic(B)["findings"]).contains(&"link"), "{report:?}");
}

#[test]
fn limits_and_variables_are_named() {
    refused(
        |fixture| fixture.put("limits", "Max locked memory  65536  65536  bytes\n"),
        &[],
        &["memlock"],
    );
    refused(
        |fixture| fixture.put("environ", "FI_PROVIDER=tcp\0"),
        &[],
        &["provider"],
    );
    refused(
        |fixture| fixture.put("environ", "FI_CXI_DEVICE_NAME=cxi7\0"),
        &["device-name"],
        &[],
    );
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.put("environ", "FI_PROVIDER=^tcp,udp\0");
    fixture.expect(0, "accepted", &[], &[]);
    fixture.put("limits", "nothing of that kind\n");
    fixture.expect(0, "accepted", &[], &["memlock"]);
}

/// lnx has others do the work, cxi among them where its links say so.
#[test]
fn a_provider_that_links_cxi_uses_it() {
    let Some(fixture) = ContainerFixture::new() else { return };
    for environment in [
        "FI_PROVIDER=lnx\0FI_LNX_PROV_LINKS=shm+cxi\0",
        "FI_PROVIDER=lnx\0FI_LNX_PROV_LINKS=shm+cxi:cxi0|shm+cxi:cxi1\0",
        "FI_PROVIDER=lnx\0FI_LNX_PROV_LINKS=cxi:cxi0,cxi1\0",
        "FI_PROVIDER=shm+cxi:linkx\0",
    ] {
        fixture.put("environ", environment);
        fixture.expect(0, "accepted", &[], &[]);
    }
    for environment in ["FI_PROVIDER=lnx\0FI_LNX_PROV_LINKS=shm+tcp\0", "FI_PROVIDER=lnx\0"] {
        fixture.put("environ", environment);
        fixture.expect(3, "refused", &[], &["provider"]);
    }
    fixture.put("environ", "FI_PROVIDER=lnx\0FI_LNX_PROV_LINKS=shm+cxi:cxi0\0");
    let report = fixture.report();
    assert_eq!(report.nic(A)["verdict"], "accepted", "{report:?}");
    assert_eq!(kinds(&report.nic(B)["findings"]), ["device-name"], "{report:?}");
}

#[test]
fn nics_that_the_launcher_counts_with_and_the_container_lacks_are_named() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.put("environ", "SLINGSHOT_DEVICES=cxi0,cxi1\0");
    fixture.expect(0, "accepted", &[], &[]);
    for (list, lacking) in [("cxi0,cxi1,cxi7", "cxi7"), ("cxi10,cxi1", "cxi10")] {
        fixture.put("environ", format!("SLINGSHOT_DEVICES={list}\0"));
        let report = fixture.expect(0, "accepted", &[], &["slingshot-devices"]);
        let reason = report.json["findings"][0]["reason"].as_str().unwrap();
        assert!(reason.ends_with(&format!(": {lacking}")), "{reason}");
    }
    fs::remove_file(fixture.at("dev/cxi1")).unwrap();
    fixture.put("environ", "SLINGSHOT_DEVICES=cxi0,cxi1\0");
    let report = fixture.report();
    assert_eq!(
        kinds(&report.json["findings"]),
        ["slingshot-devices", "cxi-service"],
        "{report:?}"
    );
}

#[test]
fn a_monitor_of_memory_that_cannot_work_is_named() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let status = |seccomp: &str, capabilities: &str| {
        let ids = "Name:\tmpi\nState:\tS\nUid:\t7 7 7 7\nGid:\t7 7 7 7\n";
        fixture.put("status", format!("{ids}CapEff:\t{capabilities}\nSeccomp:\t{seccomp}\n"));
    };
    status("0", "0");
    let none: &[&str] = &[];
    let bad: &[&str] = &["mr-cache-monitor"];
    let expect = |monitor: &str, expected: &[&str]| {
        fixture.put("environ", format!("FI_MR_CACHE_MONITOR={monitor}\0"));
        fixture.expect(0, "accepted", &[], expected)
    };
    for fine in ["memhooks", "disabled"] {
        expect(fine, none);
    }
    let report = expect("kdreg2", bad);
    let reason = report.json["findings"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("no /dev/kdreg2"), "{reason}");
    make_node(&fixture.at("dev/kdreg2"), 3);
    expect("kdreg2", none);
    fs::set_permissions(fixture.at("dev/kdreg2"), fs::Permissions::from_mode(0o600)).unwrap();
    expect("kdreg2", bad);
    make_node(&fixture.at("dev/kdreg2"), 3);
    make_node(&fixture.host.root().join("dev/kdreg2"), 5);
    expect("kdreg2", bad);

    for name in ["userfaultfd", "uffd"] {
        status("0", "0");
        expect(name, bad);
        status("0", "80000"); // CAP_SYS_PTRACE
        expect(name, none);
        status("2", "80000");
        expect(name, bad);
    }
    let sysctl = fixture.host.root().join("proc/sys/vm");
    fs::create_dir_all(&sysctl).unwrap();
    fs::write(sysctl.join("unprivileged_userfaultfd"), "1\n").unwrap();
    status("0", "0");
    expect("userfaultfd", none);
}

/// As the process is: its user and groups, and what its user namespace has.
#[test]
fn libraries_that_the_process_may_not_read_are_named() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let set = |path: &str, mode: u32| {
        fs::set_permissions(fixture.at(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, closed, open) in [
        ("usr/lib64/libfabric.so.1", 0o640, 0o644),
        ("usr/lib64/libcxi.so.1", 0o600, 0o644),
        ("usr/lib64", 0o750, 0o755),
        ("usr", 0o700, 0o755),
    ] {
        set(path, closed);
        let report = fixture.expect(3, "refused", &[], &["library-mode"]);
        let reason = report.json["findings"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("/{path} has mode {closed:04o}")), "{reason}");
        set(path, open);
        fixture.expect(0, "accepted", &[], &[]);
    }
    set("usr/lib64/libfabric.so.1", 0o640);
    let status = |ids: &str| fixture.put("status", format!("Name:\tmpi\nState:\tS\n{ids}"));
    // By its group, as its owner, and by its rights.
    for ids in [
        "Uid:\t7 7 7 7\nGid:\t7 7 7 7\nGroups:\t8 0 \nCapEff:\t0\n",
        "Uid:\t0 0 0 0\nGid:\t0 0 0 0\nCapEff:\t0\n",
        "Uid:\t7 7 7 7\nGid:\t7 7 7 7\nCapEff:\t2\n",
    ] {
        status(ids);
        fixture.expect(0, "accepted", &[], &[]);
    }
    // In a user namespace of its own only for what belongs to its users.
    status("Uid:\t100000 100000 100000 100000\nGid:\t100000 100000 100000 100000\nCapEff:\t2\n");
    fixture.link("user", PID, "own");
    for map in ["uid_map", "gid_map"] {
        fixture.put(map, "         0     100000      65536\n");
    }
    fixture.expect(3, "refused", &[], &["library-mode"]);
    for map in ["uid_map", "gid_map"] {
        fixture.put(map, "         0          0      65536\n");
    }
    fixture.expect(0, "accepted", &[], &[]);
}

#[test]
fn libraries_that_do_not_load_are_named() {
    refused(
        |fixture| fs::remove_file(fixture.at("usr/lib64/libfabric.so.1")).unwrap(),
        &[],
        &["not-found"],
    );
    refused(
        |fixture| {
            let musl = format!("lib/ld-musl-{}.so.1", std::env::consts::ARCH);
            fs::remove_dir_all(fixture.at("lib64")).unwrap();
            fixture.loader(&musl);
        },
        &[],
        &["not-found", "not-found"],
    );
    refused(
        |fixture| fs::remove_dir_all(fixture.at("lib64")).unwrap(),
        &[],
        &["no-libc"],
    );
}

#[test]
fn links_of_the_container_lead_nowhere_outside() {
    let Some(fixture) = ContainerFixture::new() else { return };
    // What the host has at these paths would make it good again.
    let host = fixture.host.root().to_str().unwrap().to_owned();
    fs::remove_dir_all(fixture.at("sys/class")).unwrap();
    symlink(format!("{host}/sys/class"), fixture.at("sys/class")).unwrap();
    fixture.expect(3, "refused", &[], &["sysfs"]);
    fs::remove_file(fixture.at("sys/class")).unwrap();
    symlink(
        format!("../../../../../../../../..{host}/sys/class"),
        fixture.at("sys/class"),
    )
    .unwrap();
    fixture.expect(3, "refused", &[], &["sysfs"]);
}

#[test]
fn hostile_content_is_survived() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let endless = vec![b'x'; 5 << 20];
    fixture.put("environ", &endless);
    fixture.put("mountinfo", &endless);
    fixture.put("limits", [0xff; 64]);
    fixture.put("cgroup", "3:devices:/../../../etc\n");
    // A pipe that nobody writes, a device, a loop.
    let libraries = fixture.at("usr/lib64");
    for name in ["libfabric.so.1", "libcxi.so.1"] {
        fs::remove_file(libraries.join(name)).unwrap();
    }
    nix::unistd::mkfifo(&libraries.join("libfabric.so.1"), Mode::S_IRWXU).unwrap();
    symlink("libcxi.so.1", libraries.join("libcxi.so.1")).unwrap();
    let report = fixture.report();
    assert_eq!(report.code, 3, "{report:?}");
    for text in ["", "Name:\t\u{1b}[31m", "Uid:\t-1\n"] {
        fixture.put("status", text);
        let output = fixture.explain(&[PID]);
        assert_eq!(output.code, 1, "{output:?}");
        assert!(!output.stderr.contains('\u{1b}'), "{output:?}");
    }
}

#[test]
fn a_loader_or_library_among_the_files_of_the_kernel_is_not_read() {
    let test = "a_loader_or_library_among_the_files_of_the_kernel_is_not_read";
    if !mounts::are_own(test) {
        return;
    }
    let Some(fixture) = ContainerFixture::new() else { return };
    let place = fixture.at("proc");
    fs::create_dir_all(&place).unwrap();
    if let Err(error) = mount(Some("proc"), &place, Some("proc"), MsFlags::empty(), None::<&str>) {
        return skip(Need::Root, format!("no proc can be mounted: {error}"));
    }
    let libfabric = fixture.at("usr/lib64/libfabric.so.1");
    fs::remove_file(&libfabric).unwrap();
    // /proc/kmsg is of the same kind, but reading it would take this machine's messages away.
    symlink("/proc/version", &libfabric).unwrap();
    let report = fixture.expect(3, "refused", &[], &["not-found"]);
    let text = report.json["findings"].to_string();
    assert!(text.contains("in a file system of the kernel (proc)"), "{text}");
    for loader in ["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"] {
        let loader = fixture.at(loader);
        if fs::remove_file(&loader).is_ok() {
            symlink("/proc/version", &loader).unwrap();
        }
    }
    let report = fixture.report();
    assert!(kinds(&report.json["findings"]).contains(&"no-libc"), "{report:?}");
}

#[test]
fn a_container_that_hangs_is_named_and_ends_the_command() {
    if !mounts::are_own("a_container_that_hangs_is_named_and_ends_the_command") {
        return;
    }
    let Some(fixture) = ContainerFixture::new() else { return };
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let hang = Hang::at(fixture.at("usr"));
    let output = fixture.explain(&[PID]);
    assert_eq!(output.code, 1, "{output:?}");
    for part in ["/proc/4711/root/usr/lib64/", "does not answer for 10 s"] {
        assert!(output.stderr.contains(part), "{output:?}");
    }
    hang.end();
    fixture.expect(0, "accepted", &[], &[]);
}

#[test]
fn a_process_that_is_not_there_is_an_error_that_says_what_to_give() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let output = fixture.explain(&["99"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(
        output.stderr.contains("there is no process 99") && output.stderr.contains("podman inspect"),
        "{output:?}"
    );
    fixture.put("status", "Name:\tmpi\nState:\tZ (zombie)\n");
    let output = fixture.explain(&[PID]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("process 4711 has ended"), "{output:?}");
    for args in [&["0x1"][..], &["-1"], &[PID, "cxi0"]] {
        assert_eq!(fixture.explain(args).code, 2, "{args:?}");
    }
}

/// What it holds beyond what kubelet's answer gave it, whatever the nodes are called there.
#[test]
fn nics_that_were_not_given_are_named() {
    let Some(fixture) = ContainerFixture::new() else { return };
    let minors = [3, 5];
    numbered::host_nodes(fixture.host.root(), &minors);
    for (name, minor) in ["dev/cxi0", "dev/cxi1"].into_iter().zip(minors) {
        numbered::node(&fixture.at(name), minor);
    }
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A},{B}\0"));
    fixture.expect(0, "accepted", &[], &[]);
    fixture.put("environ", format!("PCIDEVICE_BETA_HPE_COM_CXI={A}\0"));
    let finding = |report: &Report| {
        let findings = report.json["findings"].as_array().unwrap().iter();
        let mut given = findings.filter(|finding| finding["kind"] == "not-given");
        let reason = given
            .next()
            .map(|finding| finding["reason"].as_str().unwrap().to_owned());
        assert!(given.next().is_none(), "{report:?}");
        reason.unwrap_or_default()
    };
    let report = fixture.report();
    assert_eq!(report.code, 3, "{report:?}");
    let named = format!("/dev/cxi1 is the host's {B} (cxi1, hsn1)");
    assert!(finding(&report).contains(&named), "{report:?}");
    assert!(fixture.explain(&[PID]).stdout.contains("delete the pod"), "{report:?}");
    // By its numbers, not by its name.
    fs::rename(fixture.at("dev/cxi1"), fixture.at("dev/null0")).unwrap();
    assert!(finding(&fixture.report()).contains("/dev/null0 is the host's"));
    fs::remove_file(fixture.at("dev/null0")).unwrap();
    let report = fixture.report();
    assert_eq!((report.code, finding(&report)), (0, String::new()), "{report:?}");
}

#[test]
fn without_the_variable_only_a_pods_container_was_given_nothing() {
    let Some(fixture) = ContainerFixture::new() else { return };
    fixture.put("cgroup", "0::/machine.slice/libpod-1.scope\n");
    fixture.expect(0, "accepted", &[], &[]);
    fixture.put(
        "cgroup",
        "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n",
    );
    let report = fixture.report();
    assert_eq!(report.code, 3, "{report:?}");
    let findings = report.json["findings"].to_string();
    assert!(
        findings.contains("the container has no PCIDEVICE_BETA_HPE_COM_CXI"),
        "{findings}"
    );
    fixture.put(
        "environ",
        format!("PCIDEVICE_BETA_HPE_COM_CXI={A},{B},0000:ff:00.0,x\0"),
    );
    let report = fixture.report();
    assert_eq!(report.code, 0, "{report:?}");
    let findings = report.json["findings"].to_string();
    assert!(
        findings.contains("names 0000:ff:00.0, which this node does not have"),
        "{findings}"
    );
}
