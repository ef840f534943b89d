//! What the containers of pods hold against what they were given, as `doctor` finds it on a made-up `/proc`.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use common::daemon::{A, B};
use common::doctor_fixture::{DoctorFixture, Report};
use common::generator_fixture::assert_has;
use common::hang::Hang;
use common::pod_resources::{PodResourcesServer, World, pod};
use common::skip::{Need, skip};
use common::{mounts, numbered};
use cxi_sim::node::{DeviceNodes, Kind, NicSpec};
use serde_json::Value;

const VARIABLE: &str = "PCIDEVICE_BETA_HPE_COM_CXI";
/// Minor numbers of the nodes of the two NICs.
const MINORS: [u64; 2] = [3, 5];
const OF_A_POD: &str = "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n";

/// A host with two NICs on which nothing is wrong.
struct Host(DoctorFixture);

impl Host {
    /// None where no device nodes can be made.
    fn new() -> Option<Self> {
        let nics = [NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini2)];
        let fixture = DoctorFixture::new(&nics);
        if fixture.host.node.device_nodes().unwrap() != DeviceNodes::Character {
            skip(Need::Root, "no device nodes can be made");
            return None;
        }
        numbered::host_nodes(fixture.root(), &MINORS);
        let host = Self(fixture.with_static_spec());
        let report = host.report();
        assert_eq!(report.code, 0, "{}", report.value);
        Some(host)
    }

    fn root_of(&self, pid: u32) -> PathBuf {
        self.0.host.path(&format!("containers/{pid}"))
    }

    /// A container's process with these nodes, in a mount namespace of its own.
    fn container(&self, pid: u32, cgroup: &str, environment: &str, nodes: &[(&str, u64)]) -> &Self {
        let root = self.root_of(pid);
        fs::create_dir_all(root.join("dev")).unwrap();
        for (name, minor) in nodes {
            numbered::node(&root.join("dev").join(name), *minor);
        }
        let status = format!("Name:\tmpi{pid}\nState:\tS (sleeping)\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nCapEff:\t0\n");
        self.0.write(&format!("proc/{pid}/status"), &status);
        self.0.write(&format!("proc/{pid}/cgroup"), cgroup);
        self.0.write(&format!("proc/{pid}/environ"), environment);
        self.0.link(&format!("proc/{pid}/ns/mnt"), &format!("mnt:[{pid}]"));
        self.0.link(&format!("proc/{pid}/root"), root.to_str().unwrap());
        self
    }

    fn report(&self) -> Report {
        Report::of(self.0.root())
    }

    fn asking(&self, server: &PodResourcesServer) -> Value {
        let output = self.0.doctor(&["--output", "json", "--pod-resources", server.socket()]);
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

/// Level, id, subject and sentence of each finding.
fn findings(report: &Value) -> Vec<String> {
    let of = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        format!("{} {} {}: {}", text("level"), text("id"), text("subject"), text("what"))
    };
    report["findings"].as_array().unwrap().iter().map(of).collect()
}

fn given(nics: &[&str]) -> String {
    format!("HOME=/\0{VARIABLE}={}\0", nics.join(","))
}

#[test]
fn a_container_that_has_what_it_was_given_is_no_finding() {
    let Some(host) = Host::new() else { return };
    host.container(4711, OF_A_POD, &given(&[A]), &[("cxi0", MINORS[0])]);
    // Under another name it is the same.
    host.container(4712, OF_A_POD, &given(&[B]), &[("cxi0", MINORS[1]), ("null", 7)]);
    host.container(4713, OF_A_POD, "HOME=/\0", &[("null", 7)]);
    let report = host.report();
    assert_eq!(findings(&report.value), Vec::<String>::new());
    assert_eq!(
        report.value["unknown"].as_array().map(Vec::len),
        Some(0),
        "{}",
        report.value
    );
}

#[test]
fn what_was_not_given_is_named_with_whose_it_is() {
    let Some(host) = Host::new() else { return };
    let nodes = [("cxi0", MINORS[0]), ("cxi1", MINORS[1])];
    host.container(4711, OF_A_POD, &given(&[A]), &nodes);
    let report = host.report();
    assert_eq!(report.code, 3, "{}", report.value);
    assert_eq!(
        findings(&report.value),
        [format!(
            "warning nic-not-given process 4711 (mpi4711): a container of a pod has device nodes of NICs that its {VARIABLE} \
             does not name: /dev/cxi1 is {B} (cxi1, hsn1)"
        )]
    );
    let evidence = report.value["findings"][0]["evidence"].to_string();
    for part in ["/proc/4711/environ", "/proc/4711/root/dev/cxi1", "kubepods-pod1"] {
        assert_has(&evidence, part);
    }
    // Kubelet's word gives names, and only to what fits it.
    let socket = host.0.host.path("run/pods.sock");
    let (mine, other) = (pod("mine", &[("main", &[A])]), pod("other", &[("main", &[B])]));
    let world = |pods: &[_]| World {
        pods: pods.to_vec(),
        ..World::default()
    };
    let server = PodResourcesServer::start(&socket, world(&[mine.clone(), other]));
    let told = findings(&host.asking(&server));
    assert_has(&told[0], "a container of hpc/mine has device nodes");
    assert_has(&told[0], "(kubelet has given it to hpc/other)");
    server.set(world(&[pod("liar", &[("main", &[A, B])])]));
    let told = findings(&host.asking(&server));
    assert_has(&told[0], "a container of a pod has");
    assert_has(&told[0], "(kubelet has given it to hpc/liar)");
    server.set(world(&[mine]));
    assert!(
        !findings(&host.asking(&server))[0].contains("kubelet has given"),
        "{told:?}"
    );
}

#[test]
fn what_was_given_and_is_missing_is_named() {
    let Some(host) = Host::new() else { return };
    host.container(4711, OF_A_POD, &given(&[A, B]), &[("cxi1", MINORS[1])]);
    let report = host.report();
    assert_eq!(report.code, 3, "{}", report.value);
    let findings = findings(&report.value);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_has(&findings[0], "warning nic-given-and-missing process 4711");
    assert_has(&findings[0], &format!("was given {A} by its {VARIABLE}"));
}

#[test]
fn privileged_containers_are_one_note_and_others_none() {
    let Some(host) = Host::new() else { return };
    let nodes = [("cxi0", MINORS[0]), ("cxi1", MINORS[1])];
    for pid in 4711..4731 {
        host.container(pid, OF_A_POD, "HOME=/\0", &nodes);
    }
    // Not of kubelet's making: podman, a service with a mount namespace of its own, and one that only looks so.
    for (pid, cgroup) in [
        (4801, "0::/machine.slice/libpod-1.scope\n"),
        (4802, "0::/system.slice/x.service\n"),
        (4803, "1:kubepods:/\n0::/user.slice/notkubepods\n"),
    ] {
        host.container(pid, cgroup, "", &nodes);
    }
    let report = host.report();
    assert_eq!(report.code, 0, "{}", report.value);
    let found = findings(&report.value);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_has(
        &found[0],
        "note nic-not-given containers of pods: 20 have device nodes of NICs and were given none",
    );
    let evidence = report.value["findings"][0]["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 8, "{evidence:?}");
}

#[test]
fn a_containers_further_processes_are_not_counted() {
    let Some(host) = Host::new() else { return };
    let nodes = [("cxi0", MINORS[0]), ("cxi1", MINORS[1])];
    host.container(4711, OF_A_POD, &given(&[A]), &nodes);
    host.container(4712, OF_A_POD, &given(&[B]), &nodes);
    let link = host.0.path("proc/4712/ns/mnt");
    fs::remove_file(&link).unwrap();
    symlink("mnt:[4711]", link).unwrap();
    assert_eq!(findings(&host.report().value).len(), 1);
}

#[test]
fn many_containers_are_looked_at_up_to_a_bound_that_is_named() {
    let Some(host) = Host::new() else { return };
    for pid in 10_000..10_600 {
        host.container(pid, OF_A_POD, "", &[]);
    }
    let report = host.report();
    assert_eq!(findings(&report.value), Vec::<String>::new());
    // Or earlier, where the machine is slow.
    let unknown = report.value["unknown"].to_string();
    let count = unknown
        .split_once("there are more than the ")
        .unwrap_or_else(|| panic!("{unknown}"))
        .1;
    let count: usize = count.split_once(' ').unwrap().0.parse().unwrap();
    assert!((1..=512).contains(&count), "{unknown}");
}

#[test]
fn what_a_process_says_of_itself_is_survived() {
    let Some(host) = Host::new() else { return };
    let hostile = format!("{VARIABLE}=\u{1b}[2J,,{A}{A},\0{VARIABLE}={A}\0=\0");
    host.container(4711, OF_A_POD, &hostile, &[("cxi0", MINORS[0])]);
    host.container(4712, OF_A_POD, "", &[]);
    let endless = "x".repeat(5 << 20);
    host.0.write("proc/4712/environ", &endless);
    host.container(4713, OF_A_POD, "", &[]);
    host.0.write("proc/4713/status", "Name:\tx\nState:\tZ (zombie)\n");
    host.container(4714, OF_A_POD, "", &[]);
    host.0.remove("proc/4714/root");
    // Its /dev leads to the host's, which is not its own.
    host.container(4715, OF_A_POD, "", &[]);
    fs::remove_dir(host.root_of(4715).join("dev")).unwrap();
    symlink(host.0.path("dev"), host.root_of(4715).join("dev")).unwrap();
    let output = host.0.doctor(&[]);
    assert!(!output.stdout.contains('\u{1b}'), "{output:?}");
    let report = host.report();
    let found = findings(&report.value);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_has(&found[0], "process 4711");
    assert_has(&report.value["unknown"].to_string(), "process 4712");
}

#[test]
fn a_container_that_hangs_is_left_behind_and_the_next_is_looked_at() {
    if !mounts::are_own("a_container_that_hangs_is_left_behind_and_the_next_is_looked_at") {
        return;
    }
    if !Hang::possible() {
        return skip(Need::Fuse, "/dev/fuse cannot be opened");
    }
    let Some(host) = Host::new() else { return };
    host.container(4711, OF_A_POD, &given(&[A]), &[]);
    let nodes = [("cxi0", MINORS[0]), ("cxi1", MINORS[1])];
    host.container(4712, OF_A_POD, &given(&[A]), &nodes);
    let hang = Hang::at(host.root_of(4711).join("dev"));
    let report = host.report();
    hang.end();
    let found = findings(&report.value);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_has(&found[0], "process 4712");
    let unknown = report.value["unknown"].to_string();
    assert_has(&unknown, "/proc/4711");
    assert_has(&unknown, "does not answer");
}
