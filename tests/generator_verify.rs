//! `cxi-cdi-generator verify` and `remove`: the spec on disk against the node, and away with it.
#![cfg(test)]

mod common;

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::stage::{FIRST, SECOND, Stage, assert_has, nic};
use common::{Said, listing};
use cxi_sim::node::Variant;
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

const CLASH: &str = "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices:\n- name: cxi0\n  containerEdits:\n    env: [A=B]\n";

fn two() -> Stage {
    Stage::new(&[nic(FIRST), nic(SECOND)])
}

fn verify<const N: usize>(stage: &Stage, args: [&str; N]) -> Said {
    stage.generator_of("verify").args(args).write_to(&stage.cdi())
}

/// Kind and file name of each finding, after a check that both outputs end with code 3.
fn findings(stage: &Stage) -> Vec<(String, String)> {
    let said = verify(stage, ["--output", "json"]);
    let verified: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(verified["equal"], said.code == 0, "{said:?}");
    assert_eq!(verified["file"].as_str(), stage.file("yaml").to_str());
    assert_eq!(verify(stage, []).code, said.code);
    let findings = verified["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings
        .map(|finding| {
            let file = Path::new(finding["file"].as_str().unwrap());
            assert_eq!(file.parent().unwrap(), stage.cdi());
            (
                finding["kind"].as_str().unwrap().to_owned(),
                file.file_name().unwrap().to_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(said.code, if findings.is_empty() { 0 } else { 3 });
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
            let stage = two();
            assert_eq!(stage.write(args).code, 0);
            let said = verify(&stage, args);
            assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{args:?}: {said:?}");
            assert_has(&said.stdout, " is up to date: ");
            assert_eq!(verify(&stage, ["--expose=env", "--names=index"]).code, 3, "{args:?}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_said_to_be_there() {
        let stage = two();
        fs::write(stage.cdi(), "a file in place of the directory").unwrap();
        let both = ["yaml", "json"].map(|suffix| found("unreadable", &format!("hpe.com-cxi.{suffix}")));
        assert_eq!(findings(&stage), both);
        assert_has(&verify(&stage, []).stdout, "cannot be looked at: Not a directory");
    }

    #[test]
    fn the_diff_is_exactly_what_changed() {
        let stage = two();
        stage.write(["--libraries=none"]);
        let before = listing(&stage.cdi());
        stage.node.remove(SECOND).unwrap();
        let said = verify(&stage, ["--libraries=none"]);
        assert_eq!(said.code, 3, "{said:?}");
        let file = stage.file("yaml");
        assert_has(
            &said.stdout,
            &format!("{} is not what this node would get now\n", file.display()),
        );
        assert_has(&said.stdout, &format!("--- {}\n+++ this node\n@@ ", file.display()));
        let changed: Vec<&str> = said
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
        assert_eq!(changed, expected, "{}", said.stdout);
        assert_has(&said.stdout, "findings: 1 in ");
        assert_eq!(listing(&stage.cdi()), before, "verify changes nothing");
        assert!(!said.stdout.contains('\u{1b}'), "colours without a terminal");
    }

    #[test]
    fn programs_get_the_diff_too() {
        let stage = two();
        stage.write([]);
        stage.node.remove(SECOND).unwrap();
        let said = verify(&stage, ["-o", "json"]);
        let verified: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((said.code, &verified["equal"]), (3, &Value::Bool(false)));
        assert_has(verified["findings"][0]["diff"].as_str().unwrap(), "\n-- name: cxi1\n");
    }

    #[test]
    fn a_missing_file_is_a_finding() {
        assert_eq!(findings(&two()), [found("missing", "hpe.com-cxi.yaml")]);
    }

    #[test]
    fn a_file_on_a_node_without_nics_is_a_finding_and_no_file_is_right() {
        let stage = Stage::one();
        stage.write([]);
        stage.node.remove(FIRST).unwrap();
        assert_eq!(findings(&stage), [found("unexpected", "hpe.com-cxi.yaml")]);
        fs::remove_file(stage.file("yaml")).unwrap();
        assert_eq!(findings(&stage), []);
        let said = verify(&stage, []);
        assert_eq!(
            said.stdout,
            format!("no usable CXI NIC, and no spec of ours in {}\n", stage.cdi().display())
        );
    }

    #[test]
    fn our_file_of_the_other_format_is_a_finding() {
        let stage = two();
        stage.write([]);
        fs::copy(stage.file("yaml"), stage.file("json")).unwrap();
        assert_eq!(findings(&stage), [found("unexpected", "hpe.com-cxi.json")]);
    }

    #[test]
    fn what_is_no_file_or_no_text_or_has_the_wrong_mode_is_a_finding() {
        let stage = two();
        stage.write([]);
        fs::set_permissions(stage.file("yaml"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(findings(&stage), [found("mode", "hpe.com-cxi.yaml")]);
        fs::write(stage.file("yaml"), [0xff]).unwrap();
        fs::set_permissions(stage.file("yaml"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(findings(&stage), [found("unreadable", "hpe.com-cxi.yaml")]);
        fs::remove_file(stage.file("yaml")).unwrap();
        symlink("/dev/zero", stage.file("yaml")).unwrap();
        assert_eq!(findings(&stage), [found("unreadable", "hpe.com-cxi.yaml")]);
        fs::remove_file(stage.file("yaml")).unwrap();
        nix::unistd::mkfifo(&stage.file("yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(findings(&stage), [found("unreadable", "hpe.com-cxi.yaml")]);
    }

    #[test]
    fn a_foreign_file_with_a_name_of_ours_is_a_finding_that_names_it() {
        let stage = two();
        stage.write([]);
        fs::write(stage.cdi().join("zzz.yaml"), CLASH).unwrap();
        assert_eq!(findings(&stage), [found("clash", "zzz.yaml")]);
        assert_has(&verify(&stage, []).stdout, "zzz.yaml offers hpe.com/cxi=cxi0, too");
    }

    #[test]
    fn hostile_bytes_in_the_file_do_not_reach_the_terminal() {
        let stage = two();
        stage.write([]);
        let text = fs::read_to_string(stage.file("yaml")).unwrap();
        fs::write(stage.file("yaml"), text + "# \u{1b}[2J\u{7}\n").unwrap();
        let said = verify(&stage, []);
        assert_has(&said.stdout, "-# \\u{1b}[2J\\u{7}\n");
        assert!(!said.stdout.contains('\u{1b}'));
    }

    #[test]
    fn colours_show_where_they_are_forced_and_never_with_no_color() {
        let stage = two();
        let mut forced = stage.generator_of("verify");
        let said = forced.env("CLICOLOR_FORCE", "1").write_to(&stage.cdi());
        assert_has(&said.stdout, "\u{1b}[1m");
        let said = stage.generator_of("verify").env("NO_COLOR", "1").write_to(&stage.cdi());
        assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    }

    #[test]
    fn a_node_that_cannot_be_looked_at_is_a_failure_and_no_finding() {
        let stage = two();
        stage.write([]);
        fs::remove_dir_all(stage.host("sys/bus/pci/devices")).unwrap();
        fs::write(stage.host("sys/bus/pci/devices"), "").unwrap();
        let said = verify(&stage, []);
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    }
}

mod removing {
    use super::*;

    fn remove<const N: usize>(stage: &Stage, args: [&str; N]) -> Said {
        let mut generator = common::Generator::new();
        generator.arg("remove").args(args).write_to(&stage.cdi())
    }

    #[test]
    fn our_files_go_and_foreign_ones_stay() {
        let stage = two().with_files(&[
            ("foreign.yaml", CLASH),
            ("hpe.com-cxi.yaml", "x"),
            ("hpe.com-cxi.json", "y"),
            ("hpe.com-cxi.yaml.bak", "z"),
        ]);
        let mut kept = listing(&stage.cdi());
        kept.retain(|entry| {
            !["hpe.com-cxi.yaml", "hpe.com-cxi.json"].contains(&entry.0.file_name().unwrap().to_str().unwrap())
        });
        let said = remove(&stage, []);
        let expected = format!(
            "removed {}\nremoved {}\n",
            stage.file("yaml").display(),
            stage.file("json").display()
        );
        assert_eq!((said.code, said.stdout, said.stderr.as_str()), (0, expected, ""));
        assert_eq!(listing(&stage.cdi()), kept);
    }

    #[test]
    fn a_second_time_and_without_directory_it_does_nothing() {
        let stage = two();
        let nothing = format!("no spec of ours in {}\n", stage.cdi().display());
        assert_eq!(remove(&stage, []).stdout, nothing);
        stage.write([]);
        assert_eq!(remove(&stage, []).code, 0);
        let said = remove(&stage, []);
        assert_eq!((said.code, said.stdout), (0, nothing));
    }

    #[test]
    fn programs_learn_what_was_removed() {
        let stage = two();
        stage.write([]);
        for expected in [vec![stage.file("yaml")], vec![]] {
            let said: Value = serde_json::from_str(&remove(&stage, ["-o", "json"]).stdout).unwrap();
            assert_eq!(said, serde_json::json!({ "removed": expected }));
        }
    }

    #[test]
    fn a_link_is_refused_before_anything_is_removed() {
        let stage = two();
        stage.write([]);
        symlink("/etc/passwd", stage.file("json")).unwrap();
        let before = listing(&stage.cdi());
        let said = remove(&stage, []);
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
        assert_has(
            &said.stderr,
            &format!("{} is a symbolic link", stage.file("json").display()),
        );
        assert_eq!(listing(&stage.cdi()), before);
    }
}

mod beside_the_daemon {
    use super::*;

    /// The lock as the daemon holds it.
    fn hold(stage: &Stage, pid: &str) -> Flock<fs::File> {
        let run = stage.folder.path().join("daemon");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("lock"), pid).unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(run.join("lock"))
            .unwrap();
        Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
    }

    fn say(stage: &Stage, command: &str) -> Said {
        let mut generator = stage.generator_of(command);
        generator.arg("--run-dir").arg(stage.folder.path().join("daemon"));
        generator.write_to(&stage.cdi())
    }

    #[test]
    fn a_static_spec_beside_a_running_daemon_is_a_warning() {
        let stage = two();
        let pid = std::process::id();
        let lock = hold(&stage, &pid.to_string());
        for command in ["generate", "verify"] {
            let said = say(&stage, command);
            assert_eq!(said.code, 0, "{said:?}");
            assert_has(
                &said.stderr,
                &format!("warning: cxi-device-plugin is running (pid {pid})"),
            );
            assert_has(
                &said.stderr,
                &format!("cxi-cdi-generator remove --cdi-dir {}", stage.cdi().display()),
            );
        }
        drop(lock);
        for command in ["generate", "verify"] {
            assert_eq!(say(&stage, command).stderr, "", "nobody holds the lock");
        }
    }

    #[test]
    fn the_daemon_itself_is_noticed() {
        let host = common::daemon::Host::new(&[nic(FIRST)]);
        let daemon = host.start(&[]);
        daemon.wait_for_log("waiting for kubelet.sock in");
        let mut generator = common::Generator::below(host.node.root());
        generator.arg("--run-dir").arg(host.path("run"));
        let said = generator.write_to(&host.path("static"));
        assert_has(&said.stderr, &format!("(pid {})", daemon.pid()));
    }

    #[test]
    fn no_spec_is_no_warning_and_a_lock_file_that_nobody_wrote_is_not_tried() {
        let stage = Stage::new(&[nic(FIRST).variant(Variant::V5)]);
        let _lock = hold(&stage, &std::process::id().to_string());
        assert!(!say(&stage, "generate").stderr.contains("cxi-device-plugin"));
        let stage = two();
        let _lock = hold(&stage, "nobody");
        assert_eq!(say(&stage, "generate").stderr, "");
    }
}
