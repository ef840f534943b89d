//! Nodes for the doctor: everything that surrounds the NICs, written into the tree of the emulated node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use cxi_sim::kubelet::Kubelet;
use cxi_sim::node::{Kind, NicSpec, Variant};
use serde_json::Value;
use tempfile::TempDir;

use super::daemon::{Daemon, DaemonFixture, PATIENCE, RESOURCE, until};
use super::{Generator, Output, scratch};

/// What systemd and the kernel say of a process without a limit, and of one with the usual small one.
pub const UNLIMITED: &str = "Max locked memory         unlimited            unlimited            bytes     \n";
pub const SMALL: &str = "Max locked memory         65536                65536                bytes     \n";

/// The table by which the variants of a node are known: what the doctor finds on a node with such NICs.
pub fn findings_of(variant: Variant) -> BTreeSet<String> {
    let ids: &[&str] = match variant {
        Variant::V5 => &["nic-no-node"],
        Variant::V6 => &["condition-fabric-address"],
        Variant::V10 => &["nic-no-netdev"],
        Variant::V11 | Variant::V19 => &["nic-numa-unknown"],
        Variant::V12 => &["vf-not-offered"],
        Variant::V14 => &["condition-retry-handler"],
        Variant::V15 => &["condition-pci-enabled"],
        _ => &[],
    };
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// An emulated node whose root holds all that a node has, and nothing that is wrong, yet.
pub struct DoctorFixture {
    pub host: DaemonFixture,
}

impl DoctorFixture {
    /// Where podman is used: NICs, and a static spec of theirs.
    pub fn new(nics: &[NicSpec]) -> Self {
        let host = DaemonFixture::new(nics);
        // What the daemon and kubelet write is below the host's root.
        for (name, place) in [
            ("kubelet", "var/lib/kubelet/device-plugins"),
            ("cdi", "var/run/cdi"),
            ("run", "run/cxi-device-plugin"),
        ] {
            let place = host.node.root().join(place);
            if name == "run" {
                fs::create_dir_all(&place).unwrap();
            } else {
                fs::create_dir_all(place.parent().unwrap()).unwrap();
            }
            symlink(place, host.path(name)).unwrap();
        }
        let fixture = Self { host };
        fixture.write("sys/module/cxi_ss1/parameters/disable_default_svc", "N\n");
        fixture
    }

    pub fn with_static_spec(self) -> Self {
        let output = Generator::below(self.root()).write_to(&self.path("etc/cdi"));
        assert_eq!(output.code, 0, "{output:?}");
        self
    }

    pub fn one() -> Self {
        Self::new(&[NicSpec::new(Kind::Cassini1)])
    }

    /// Podman on one NIC.
    pub fn podman() -> Self {
        Self::one().with_static_spec()
    }

    /// The node of a cluster: unit, kubelet's process, and a runtime that is its process and its configuration.
    pub fn of_cluster(nics: &[NicSpec], process: &str, configuration: &[(&str, &str)]) -> Self {
        let fixture = Self::new(nics);
        fs::create_dir_all(fixture.path("var/run/cdi")).unwrap();
        fs::create_dir_all(fixture.path("var/lib/kubelet/device-plugins")).unwrap();
        fixture.unit();
        fixture.process(901, "kubelet", UNLIMITED);
        fixture.process(902, process, UNLIMITED);
        for (path, text) in configuration {
            fixture.write(path, text);
        }
        fixture
    }

    pub fn root(&self) -> &Path {
        self.host.node.root()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// A file of the emulated node is replaced and keeps its mode: of most, nobody but root could open it to write.
    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let old = path.symlink_metadata().ok().filter(Metadata::is_file);
        if old.is_some() {
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, text).unwrap();
        if let Some(old) = old {
            fs::set_permissions(&path, old.permissions()).unwrap();
        }
        self
    }

    pub fn remove(&self, path: &str) -> &Self {
        let path = self.path(path);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    pub fn link(&self, path: &str, target: &str) -> &Self {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        symlink(target, self.path(path)).unwrap();
        self
    }

    /// A process of root's, which a service of this name has started.
    pub fn process(&self, pid: u32, comm: &str, limits: &str) -> &Self {
        let unit = if comm == "cxi-device-plug" {
            "cxi-device-plugin"
        } else {
            comm
        };
        self.write(&format!("proc/{pid}/comm"), &format!("{comm}\n"));
        self.write(
            &format!("proc/{pid}/status"),
            &format!("Name:\t{comm}\nUid:\t0\t0\t0\t0\nNSpid:\t{pid}\n"),
        );
        self.write(
            &format!("proc/{pid}/cgroup"),
            &format!("0::/system.slice/{unit}.service\n"),
        );
        self.write(&format!("proc/{pid}/limits"), limits)
    }

    /// Our unit, enabled.
    pub fn unit(&self) -> &Self {
        let unit = "usr/lib/systemd/system/cxi-device-plugin.service";
        self.write(unit, "[Service]\nType=notify\n");
        self.link(
            "etc/systemd/system/multi-user.target.wants/cxi-device-plugin.service",
            &format!("/{unit}"),
        )
    }

    /// Runs the daemon on it, with kubelet, until each knows the other.
    pub async fn running(&self) -> (Daemon, Kubelet) {
        let (daemon, kubelet) = (self.host.start(&[]), self.host.kubelet());
        let listed = kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| !devices.is_empty())
            .await;
        listed.unwrap_or_else(|error| panic!("{error:?}:\n{}", daemon.log()));
        let record = self.path("run/cxi-device-plugin/status.json");
        until(
            || fs::read_to_string(&record).is_ok_and(|text| text.contains("\"registered\"")),
            || format!("no record of the registration:\n{}", daemon.log()),
        );
        (daemon, kubelet)
    }

    pub fn doctor(&self, flags: &[&str]) -> Output {
        doctor(self.root(), flags)
    }

    pub fn report(&self) -> Report {
        Report::of(self.root())
    }

    /// What is found; and the same is found on a copy that was made from a bundle of this node.
    pub fn ids(&self) -> BTreeSet<String> {
        let (report, copy) = (self.report(), self.copy());
        let findings = |report: &Report| report.findings().iter().map(without_reason).collect::<Vec<_>>();
        assert_eq!(
            findings(&report),
            findings(&Report::of(&copy.path().join("copy"))),
            "on the copy"
        );
        report.ids()
    }

    /// A bundle of this node, and the tree `copy` that comes of it.
    pub fn copy(&self) -> TempDir {
        let folder = scratch();
        let bundle = folder.path().join("bundle.tar");
        let output = self.doctor(&["--bundle", bundle.to_str().unwrap()]);
        assert!([0, 3].contains(&output.code), "{output:?}");
        cxi_sim::node::capture(&bundle, &folder.path().join("copy")).unwrap();
        folder
    }
}

/// Why a file is no spec or no library may be worded otherwise where only a stand-in of it is.
fn without_reason(finding: &Value) -> Value {
    let mut finding = finding.clone();
    if ["cdi-invalid-file", "library-unusable"].contains(&finding["id"].as_str().unwrap()) {
        finding["evidence"] = Value::Null;
    }
    finding
}

/// The doctor on a host's tree.
pub fn doctor(root: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    let output = command.arg("doctor").arg("--root").arg(root).args(flags).output();
    output.unwrap().into()
}

/// What the doctor says for programs.
pub struct Report {
    pub code: i32,
    pub value: Value,
}

impl Report {
    pub fn of(root: &Path) -> Self {
        let output = doctor(root, &["--output", "json"]);
        assert!([0, 3].contains(&output.code), "{output:?}");
        assert_eq!(output.stderr, "");
        Self {
            code: output.code,
            value: serde_json::from_str(&output.stdout).unwrap(),
        }
    }

    pub fn findings(&self) -> &[Value] {
        self.value["findings"].as_array().unwrap()
    }

    pub fn ids(&self) -> BTreeSet<String> {
        let ids = self
            .findings()
            .iter()
            .map(|finding| finding["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    pub fn levels(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = self.findings().iter();
        findings
            .map(|finding| (text(&finding["id"]), text(&finding["level"])))
            .collect()
    }
}
