//! `cxi-cdi-generator verify` and `remove`: the spec on disk against the node, and away with it.
#![cfg(test)]

mod common;

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::generator_fixture::{FIRST, GeneratorFixture, SECOND, assert_has, nic};
use common::{Output, listing};
use cxi_sim::node::Variant;
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

const CLASH: &str = "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices:\n- name: cxi0\n  containerEdits:\n    env: [A=B]\n";

fn two() -> GeneratorFixture {
    GeneratorFixture::new(&[nic(FIRST), nic(SECOND)])
}

fn verify<const N: usize>(fixture: &GeneratorFixture, args: [&str; N]) -> Output {
    fixture.generator_of("verify").args(args).write_to(&fixture.cdi())
}

/// Kind and file name of each finding, after a check that both outputs end with code 3.
fn findings(fixture: &GeneratorFixture) -> Vec<(String, String)> {
    let output = verify(fixture, ["--output", "json"]);
    let verified: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(verified["equal"], output.code == 0, "{output:?}");
    assert_eq!(verified["file"].as_str(), fixture.file("yaml").to_str());
    assert_eq!(verify(fixture, []).code, output.code);
    let findings = verified["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings
        .map(|finding| {
            let file = Path::new(finding["file"].as_str().unwrap());
            assert_eq!(file.parent().unwrap(), fixture.cdi());
            (
                finding["kind"].as_str().unwrap().to_owned(),
                file.file_name().unwrap().to_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(output.code, if findings.is_empty() { 0 } else { 3 });
    findings
}

fn found(kind: &str, file: &str) -> (String, String) {
    (kind.to_owned(), file.to_owned())
}

mod verifying {
    use super::*;

    #[test]
    fn a_fresh_spec_has_no_findings_with_the_flags_that_it_was_made_with() {
        for args in [
            ["--format=yaml", "--names=pci,cxi,index"],
            ["--format=json", "--no-all"],
            ["--device=cxi1", "--names=pci"],
            ["--libraries=none", "--functions=all"],
        ] {
            let fixture = two();
            assert_eq!(fixture.write(args).code, 0);
            let output = verify(&fixture, args);
            assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}: {output:?}");
            assert_has(&output.stdout, " is up to date: ");
            assert_eq!(verify(&fixture, ["--expose=env", "--names=index"]).code, 3, "{args:?}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_said_to_be_there() {
        let fixture = two();
        fs::write(fixture.cdi(), "a file in place of the directory").unwrap();
        let both = ["yaml", "json"].map(|suffix| found("unreadable", &format!("hpe.com-cxi.{suffix}")));
        assert_eq!(findings(&fixture), both);
        assert_has(&verify(&fixture, []).stdout, "cannot be looked at: Not a directory");
    }

    #[test]
    fn the_diff_is_exactly_what_changed() {
        let fixture = two();
        fixture.write(["--libraries=none"]);
        let before = listing(&fixture.cdi());
        fixture.node.remove(SECOND).unwrap();
        let output = verify(&fixture, ["--libraries=none"]);
        assert_eq!(output.code, 3, "{output:?}");
        let file = fixture.file("yaml");
        assert_has(
            &output.stdout,
            &format!("{} is not what this node would get now\n", file.display()),
        );
        assert_has(&output.stdout, &format!("--- {}\n+++ this node\n@@ ", file.display()));
        let changed: Vec<&str> = output
            .stdout
            .lines()
            .skip(3)
            .filter(|line| line.starts_with(['-', '+']))
            .collect();
        let gone = |name: &str| {
            [
                format!("-- name: {name}"),
                "-  containerEdits:".to_owned(),
                "-    deviceNodes:".to_owned(),
                "-    - path: /dev/cxi1".to_owned(),
                "-      hostPath: /dev/cxi1".to_owned(),
            ]
        };
        let mut expected: Vec<String> = [SECOND, "cxi1", "\"1\""].iter().flat_map(|name| gone(name)).collect();
        expected.extend([
            "-    - path: /dev/cxi1".to_owned(),
            "-      hostPath: /dev/cxi1".to_owned(),
        ]);
        assert_eq!(changed, expected, "{}", output.stdout);
        assert_has(&output.stdout, "findings: 1 in ");
        assert_eq!(listing(&fixture.cdi()), before, "verify changes nothing");
        assert!(!output.stdout.contains('\u{1b}'), "colours without a terminal");
    }

    #[test]
    fn programs_get_the_diff_too() {
        let fixture = two();
        fixture.write([]);
        fixture.node.remove(SECOND).unwrap();
        let output = verify(&fixture, ["-o", "json"]);
        let verified: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, &verified["equal"]), (3, &Value::Bool(false)));
        assert_has(verified["findings"][0]["diff"].as_str().unwrap(), "\n-- name: cxi1\n");
    }

    #[test]
    fn a_missing_file_is_a_finding() {
        assert_eq!(findings(&two()), [found("missing", "hpe.com-cxi.yaml")]);
    }

    #[test]
    fn a_file_on_a_node_without_nics_is_a_finding_and_no_file_is_right() {
        let fixture = GeneratorFixture::one();
        fixture.write([]);
        fixture.node.remove(FIRST).unwrap();
        assert_eq!(findings(&fixture), [found("unexpected", "hpe.com-cxi.yaml")]);
        fs::remove_file(fixture.file("yaml")).unwrap();
        assert_eq!(findings(&fixture), []);
        let output = verify(&fixture, []);
        assert_eq!(
            output.stdout,
            format!(
                "no usable CXI NIC, and no spec of ours in {}\n",
                fixture.cdi().display()
            )
        );
    }

    #[test]
    fn our_file_of_the_other_format_is_a_finding() {
        let fixture = two();
        fixture.write([]);
        fs::copy(fixture.file("yaml"), fixture.file("json")).unwrap();
        assert_eq!(findings(&fixture), [found("unexpected", "hpe.com-cxi.json")]);
    }

    #[test]
    fn what_is_no_file_or_no_text_or_has_the_wrong_mode_is_a_finding() {
        let fixture = two();
        fixture.write([]);
        fs::set_permissions(fixture.file("yaml"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(findings(&fixture), [found("mode", "hpe.com-cxi.yaml")]);
        fs::write(fixture.file("yaml"), [0xff]).unwrap();
        fs::set_permissions(fixture.file("yaml"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(findings(&fixture), [found("unreadable", "hpe.com-cxi.yaml")]);
        fs::remove_file(fixture.file("yaml")).unwrap();
        symlink("/dev/zero", fixture.file("yaml")).unwrap();
        assert_eq!(findings(&fixture), [found("unreadable", "hpe.com-cxi.yaml")]);
        fs::remove_file(fixture.file("yaml")).unwrap();
        nix::unistd::mkfifo(&fixture.file("yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(findings(&fixture), [found("unreadable", "hpe.com-cxi.yaml")]);
    }

    #[test]
    fn a_foreign_file_with_a_name_of_ours_is_a_finding_that_names_it() {
        let fixture = two();
        fixture.write([]);
        fs::write(fixture.cdi().join("zzz.yaml"), CLASH).unwrap();
        assert_eq!(findings(&fixture), [found("clash", "zzz.yaml")]);
        assert_has(&verify(&fixture, []).stdout, "zzz.yaml offers hpe.com/cxi=cxi0, too");
    }

    #[test]
    fn hostile_bytes_in_the_file_do_not_reach_the_terminal() {
        let fixture = two();
        fixture.write([]);
        let text = fs::read_to_string(fixture.file("yaml")).unwrap();
        fs::write(fixture.file("yaml"), text + "# \u{1b}[2J\u{7}\n").unwrap();
        let output = verify(&fixture, []);
        assert_has(&output.stdout, "-# \\u{1b}[2J\\u{7}\n");
        assert!(!output.stdout.contains('\u{1b}'));
    }

    #[test]
    fn colours_show_where_they_are_forced_and_never_with_no_color() {
        let fixture = two();
        let mut forced = fixture.generator_of("verify");
        let output = forced.env("CLICOLOR_FORCE", "1").write_to(&fixture.cdi());
        assert_has(&output.stdout, "\u{1b}[1m");
        let output = fixture
            .generator_of("verify")
            .env("NO_COLOR", "1")
            .write_to(&fixture.cdi());
        assert!(!output.stdout.contains('\u{1b}'), "{output:?}");
    }

    #[test]
    fn a_node_that_cannot_be_looked_at_is_a_failure_and_no_finding() {
        let fixture = two();
        fixture.write([]);
        fs::remove_dir_all(fixture.host("sys/bus/pci/devices")).unwrap();
        fs::write(fixture.host("sys/bus/pci/devices"), "").unwrap();
        let output = verify(&fixture, []);
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    }
}

mod removing {
    use super::*;

    fn remove<const N: usize>(fixture: &GeneratorFixture, args: [&str; N]) -> Output {
        let mut generator = common::Generator::new();
        generator.arg("remove").args(args).write_to(&fixture.cdi())
    }

    #[test]
    fn our_files_go_and_foreign_ones_stay() {
        let fixture = two().with_files(&[
            ("foreign.yaml", CLASH),
            ("hpe.com-cxi.yaml", "x"),
            ("hpe.com-cxi.json", "y"),
            ("hpe.com-cxi.yaml.bak", "z"),
        ]);
        let mut kept = listing(&fixture.cdi());
        kept.retain(|entry| {
            !["hpe.com-cxi.yaml", "hpe.com-cxi.json"].contains(&entry.0.file_name().unwrap().to_str().unwrap())
        });
        let output = remove(&fixture, []);
        let expected = format!(
            "removed {}\nremoved {}\n",
            fixture.file("yaml").display(),
            fixture.file("json").display()
        );
        assert_eq!((output.code, output.stdout, output.stderr.as_str()), (0, expected, ""));
        assert_eq!(listing(&fixture.cdi()), kept);
    }

    #[test]
    fn a_second_time_and_without_directory_it_does_nothing() {
        let fixture = two();
        let nothing = format!("no spec of ours in {}\n", fixture.cdi().display());
        assert_eq!(remove(&fixture, []).stdout, nothing);
        fixture.write([]);
        assert_eq!(remove(&fixture, []).code, 0);
        let output = remove(&fixture, []);
        assert_eq!((output.code, output.stdout), (0, nothing));
    }

    #[test]
    fn programs_learn_what_was_removed() {
        let fixture = two();
        fixture.write([]);
        for expected in [vec![fixture.file("yaml")], vec![]] {
            let output: Value = serde_json::from_str(&remove(&fixture, ["-o", "json"]).stdout).unwrap();
            assert_eq!(output, serde_json::json!({ "removed": expected }));
        }
    }

    #[test]
    fn a_link_is_refused_before_anything_is_removed() {
        let fixture = two();
        fixture.write([]);
        symlink("/etc/passwd", fixture.file("json")).unwrap();
        let before = listing(&fixture.cdi());
        let output = remove(&fixture, []);
        assert_eq!((output.code, output.stdout.as_str()), (1, ""));
        assert_has(
            &output.stderr,
            &format!("{} is a symbolic link", fixture.file("json").display()),
        );
        assert_eq!(listing(&fixture.cdi()), before);
    }
}

mod beside_the_daemon {
    use super::*;

    /// The lock as the daemon holds it.
    fn hold(fixture: &GeneratorFixture, pid: &str) -> Flock<fs::File> {
        let run = fixture.folder.path().join("daemon");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("lock"), pid).unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(run.join("lock"))
            .unwrap();
        Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
    }

    fn say(fixture: &GeneratorFixture, command: &str) -> Output {
        let mut generator = fixture.generator_of(command);
        generator.arg("--run-dir").arg(fixture.folder.path().join("daemon"));
        generator.write_to(&fixture.cdi())
    }

    #[test]
    fn a_static_spec_beside_a_running_daemon_is_a_warning() {
        let fixture = two();
        let pid = std::process::id();
        let lock = hold(&fixture, &pid.to_string());
        for command in ["generate", "verify"] {
            let output = say(&fixture, command);
            assert_eq!(output.code, 0, "{output:?}");
            assert_has(
                &output.stderr,
                &format!("warning: cxi-device-plugin is running (pid {pid})"),
            );
            assert_has(
                &output.stderr,
                &format!("cxi-cdi-generator remove --cdi-dir {}", fixture.cdi().display()),
            );
        }
        drop(lock);
        for command in ["generate", "verify"] {
            assert_eq!(say(&fixture, command).stderr, "", "nobody holds the lock");
        }
    }

    #[test]
    fn the_daemon_itself_is_noticed() {
        let host = common::daemon::DaemonFixture::new(&[nic(FIRST)]);
        let daemon = host.start(&[]);
        daemon.wait_for_log("waiting for kubelet.sock in");
        let mut generator = common::Generator::below(host.node.root());
        generator.arg("--run-dir").arg(host.path("run"));
        let output = generator.write_to(&host.path("static"));
        assert_has(&output.stderr, &format!("(pid {})", daemon.pid()));
    }

    #[test]
    fn no_spec_is_no_warning_and_a_lock_file_that_nobody_wrote_is_not_tried() {
        let fixture = GeneratorFixture::new(&[nic(FIRST).variant(Variant::V5)]);
        let _lock = hold(&fixture, &std::process::id().to_string());
        assert!(!say(&fixture, "generate").stderr.contains("cxi-device-plugin"));
        let fixture = two();
        let _lock = hold(&fixture, "nobody");
        assert_eq!(say(&fixture, "generate").stderr, "");
    }
}
