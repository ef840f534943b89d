//! The unit: before whom it starts, and places that its sandbox hides or makes read-only.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::Output;
use crate::common::daemon::{DaemonFixture, nics};
use crate::common::doctor_fixture::DoctorFixture;

fn project(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn before(unit: &str) -> Vec<&str> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Before="));
    lines.flat_map(str::split_whitespace).collect()
}

#[test]
fn it_starts_before_the_kubelet_of_every_distribution() {
    let unit = project("systemd/cxi-device-plugin.service");
    for service in [
        "kubelet",
        "k3s",
        "k3s-agent",
        "rke2-server",
        "rke2-agent",
        "k0sworker",
        "k0scontroller",
        "snap.microk8s.daemon-kubelite",
        "microshift",
    ] {
        assert!(
            before(&unit).contains(&format!("{service}.service").as_str()),
            "{service}"
        );
    }
    // Engines may be ordered before what is before us: their order is the site's choice.
    assert!(!unit.contains("docker") && !unit.contains("podman"), "{unit}");
}

#[test]
fn engines_that_start_containers_at_boot_have_a_drop_in_to_choose() {
    let drop_in = project("systemd/opt-in/before-container-engines.conf");
    assert_eq!(before(&drop_in), ["docker.service", "podman-restart.service"]);
    for other in ["Requires=", "Wants=", "BindsTo="] {
        assert!(!drop_in.contains(other), "{drop_in}");
    }
    let installed = "/usr/share/cxi-device-plugin/systemd/before-container-engines.conf";
    assert!(project("rpm/files.txt").contains(installed));
    assert!(project("Makefile").contains("systemd/opt-in/"));
    assert!(project("docs/packaging.md").contains(installed));
    assert!(project("rpm/files.txt").contains("/usr/share/doc/cxi-device-plugin/docs/packaging.md"));
}

/// A node with the packaged unit and this configuration.
fn with_unit(configuration: &str) -> DoctorFixture {
    let fixture = DoctorFixture::podman();
    fixture.unit();
    fixture.write(
        "usr/lib/systemd/system/cxi-device-plugin.service",
        &project("systemd/cxi-device-plugin.service"),
    );
    fixture.write("etc/cxi-device-plugin/config.toml", configuration);
    fixture
}

fn remedy(fixture: &DoctorFixture) -> Option<String> {
    fixture.ids();
    let report = fixture.report();
    let mut findings = report
        .findings()
        .iter()
        .filter(|finding| finding["id"] == "unit-sandbox");
    findings
        .next()
        .map(|finding| finding["remedy"].as_str().unwrap().to_owned())
}

const PLACES: [(&str, &[&str]); 9] = [
    (
        "[kubelet]\ndir = '/data/kubelet/device-plugins'\n",
        &["ReadWritePaths=-/data/kubelet/device-plugins"],
    ),
    ("[cdi]\ndir = '/data/cdi'\n", &["ReadWritePaths=-/data/cdi"]),
    ("[cdi]\ndir = '/etc/cdi'\n", &["ReadWritePaths=-/etc/cdi"]),
    ("[daemon]\nrun_dir = '/data/run'\n", &["ReadWritePaths=-/data/run"]),
    (
        "[export]\ntextfile = '/data/text/cxi.prom'\n",
        &["ReadWritePaths=-/data/text"],
    ),
    (
        "[cdi]\ndir = '/home/cdi'\n",
        &["ProtectHome=tmpfs", "BindPaths=-/home/cdi"],
    ),
    ("[cdi]\ndir = '/tmp/cdi'\n", &["BindPaths=-/tmp/cdi"]),
    (
        "[roots]\nofi = '/home/me/lib64'\n",
        &["ProtectHome=tmpfs", "BindReadOnlyPaths=-/home/me/lib64"],
    ),
    (
        "[roots]\ncxi = '/var/tmp/lib64'\n",
        &["BindReadOnlyPaths=-/var/tmp/lib64"],
    ),
];

#[test]
fn the_doctor_prints_the_drop_in_that_is_missing_and_is_content_with_it() {
    assert_eq!(remedy(&with_unit("")), None);
    for (configuration, lines) in PLACES {
        let fixture = with_unit(configuration);
        for line in lines {
            if let Some((_, path)) = line.split_once("ReadOnlyPaths=-/") {
                fs::create_dir_all(fixture.path(path)).unwrap();
            }
        }
        let remedy_text = remedy(&fixture).unwrap_or_else(|| panic!("{configuration}: nothing"));
        assert!(remedy_text.contains("systemctl edit cxi-device-plugin") && remedy_text.contains("[Service]"));
        for line in lines {
            assert!(remedy_text.contains(line), "{configuration}: {remedy_text}");
        }
        let drop_in = format!("[Service]\n{}\n", lines.join("\n"));
        fixture.write("etc/systemd/system/cxi-device-plugin.service.d/override.conf", &drop_in);
        assert_eq!(remedy(&fixture), None, "{configuration}");
    }
    // Places that it has, by one name or the other, and below.
    for configuration in [
        "[cdi]\ndir = '/run/cdi'\n",
        "[kubelet]\ndir = '/var/lib/kubelet/device-plugins'\n",
        "[export]\nmetrics_socket = '/run/cxi-device-plugin/metrics.sock'\n",
    ] {
        assert_eq!(remedy(&with_unit(configuration)), None, "{configuration}");
    }
    // A site whose unit has no sandbox lacks nothing.
    let free = with_unit("[cdi]\ndir = '/data/cdi'\n");
    free.write(
        "etc/systemd/system/cxi-device-plugin.service.d/free.conf",
        "[Service]\nProtectSystem=no\n",
    );
    assert_eq!(remedy(&free), None);
}

#[test]
fn flags_of_the_unit_count_like_the_configuration() {
    let fixture = with_unit("");
    fixture.write(
        "etc/systemd/system/cxi-device-plugin.service.d/flags.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/cxi-device-plugin run --kubelet-dir /data/k --env-vars=/home/me/env.yaml\n",
    );
    let remedy = remedy(&fixture).unwrap();
    for line in [
        "ReadWritePaths=-/data/k",
        "ProtectHome=tmpfs",
        "BindReadOnlyPaths=-/home/me/env.yaml",
    ] {
        assert!(remedy.contains(line), "{remedy}");
    }
}

fn run(command: &mut Command) -> Output {
    for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
        command.env_remove(variable);
    }
    command.output().unwrap().into()
}

#[test]
fn check_config_prints_the_drop_in_too() {
    let folder = crate::common::scratch();
    let file = folder.path().join("config.toml");
    for (configuration, lines) in PLACES
        .iter()
        .filter(|(configuration, _)| !configuration.contains("roots"))
    {
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        let output = run(command.arg("check-config").arg(&file));
        assert_eq!(output.code, 0, "{output:?}");
        assert!(output.stderr.contains("\n[Service]\n"), "{output:?}");
        for line in *lines {
            assert!(
                output.stderr.contains(&format!("\n{line}\n")),
                "{configuration}: {output:?}"
            );
        }
    }
    fs::write(&file, "[cdi]\ndir = '/run/cdi'\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
    assert!(!run(command.arg("check-config").arg(&file)).stderr.contains("[Service]"));
}

#[test]
fn a_service_that_ends_for_what_its_sandbox_hides_says_so() {
    let host = DaemonFixture::new(&nics(1));
    let daemon = |args: &[&str], is_service: bool| {
        let mut command = host.command();
        command.args(args).env_remove("INVOCATION_ID");
        if is_service {
            command.env("INVOCATION_ID", "1");
        }
        run(&mut command)
    };
    for (args, lines) in [
        (
            ["--ofi-root", "/home/nobody-here/lib64"],
            ["ProtectHome=tmpfs", "BindReadOnlyPaths=-/home/nobody-here/lib64"],
        ),
        (
            ["--cxi-root", "/tmp/nobody-here"],
            ["[Service]", "BindReadOnlyPaths=-/tmp/nobody-here"],
        ),
        (
            ["--env-vars", "/home/nobody-here/e.yaml"],
            ["ProtectHome=tmpfs", "BindReadOnlyPaths=-/home/nobody-here/e.yaml"],
        ),
        (
            ["--env-vars", "/root/nobody-here.yaml"],
            ["ProtectHome=tmpfs", "BindReadOnlyPaths=-/root/nobody-here.yaml"],
        ),
    ] {
        let output = daemon(&args, true);
        assert_eq!(output.code, 78, "{output:?}");
        for line in lines {
            assert!(output.stderr.contains(line), "{args:?}: {output:?}");
        }
        let output = daemon(&args, false);
        assert_eq!(output.code, 78, "{output:?}");
        assert!(!output.stderr.contains("[Service]"), "{output:?}");
    }
    let output = daemon(&["--ofi-root", "/opt/nobody-here"], true);
    assert_eq!(output.code, 78, "{output:?}");
    assert!(!output.stderr.contains("[Service]"), "the unit sees /opt: {output:?}");
}
