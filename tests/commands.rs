//! `make build`, `make test` and `make demo` on a machine that lacks something: one sentence says what, before cargo is asked.
//! And what `tests/run` makes of the tests' results.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::skip::{Need, skip};
use common::{Output, scratch};
use tempfile::TempDir;

/// A `PATH` on which only this is to be found: what every system has, and programs of ours.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(scratch());
        let usual = [
            "awk", "bash", "cat", "cp", "echo", "grep", "head", "id", "mkdir", "mktemp", "printf", "rm", "sed", "sh",
            "sort", "tee", "wc",
        ];
        for name in usual {
            symlink(found(name).unwrap(), machine.0.path().join(name)).unwrap();
        }
        machine
    }

    /// One that has all that is needed, as far as make can tell.
    fn complete() -> Self {
        let machine = Self::new();
        machine.program("cargo", "echo cargo was asked; exit 7");
        machine.program("rustc", "echo 'rustc 1.999.0 (abc 2031-01-01)'");
        machine.program("cc", "cat >/dev/null");
        machine
    }

    /// In place of the system's, if that is there: of that only the link goes. A shell writes it, so that no process that
    /// another test starts meanwhile holds it open for writing, which would forbid running it.
    fn program(&self, name: &str, script: &str) {
        let file = self.0.path().join(name);
        let _ = fs::remove_file(&file);
        let write = r#"set -C; printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", write, "sh"]).arg(&file).arg(script);
        assert!(shell.status().unwrap().success());
    }

    fn without(self, name: &str) -> Self {
        fs::remove_file(self.0.path().join(name)).unwrap();
        self
    }

    fn with(self, name: &str, script: &str) -> Self {
        self.program(name, script);
        self
    }

    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
        // This test may have been started by make, and in CI.
        for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CARGO", "CARGO_FLAGS", "CI"] {
            command.env_remove(variable);
        }
        for (variable, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CXI_")) {
            command.env_remove(variable);
        }
        command.env("PATH", self.0.path());
        command
    }

    fn make(&self, make: &Path, target: &str) -> Output {
        let mut command = self.command(make, &["--no-print-directory", target]);
        command.output().unwrap().into()
    }
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The one line that each of the commands ends with on that machine, and cargo is not asked.
fn assert_refused(machine: &Machine, wanted: &[&str]) {
    let Some(make) = found("make") else {
        return skip(Need::Program, "make");
    };
    for target in ["build", "test", "demo", "full"] {
        let output = machine.make(&make, target);
        assert_ne!(output.code, 0, "{target}: {output:?}");
        assert_eq!(output.stdout, "", "{target}");
        let lines: Vec<&str> = output
            .stderr
            .lines()
            .filter(|line| !line.starts_with("make: "))
            .collect();
        assert_eq!(lines.len(), 1, "{target}: {output:?}");
        for part in wanted {
            assert!(lines[0].contains(part), "{target}: no {part:?} in {output:?}");
        }
    }
}

#[test]
fn a_rust_that_is_too_old_is_said_with_the_one_that_is_needed() {
    let needed = env!("CARGO_PKG_RUST_VERSION");
    for old in ["1.63.0", "1.88.1", "1.9.0", "0.12.0"] {
        let version = format!("echo 'rustc {old} (abc 2020-01-01)'");
        let machine = Machine::complete().with("rustc", &version);
        assert_refused(
            &machine,
            &[
                &format!("Rust {needed} or newer"),
                &format!("is {old} "),
                "https://rustup.rs",
            ],
        );
    }
    let broken = Machine::complete().with("rustc", "exit 1");
    assert_refused(&broken, &[&format!("Rust {needed} or newer"), "https://rustup.rs"]);
}

#[test]
fn what_is_missing_is_named() {
    assert_refused(
        &Machine::complete().without("cargo"),
        &["cargo is missing", "https://rustup.rs"],
    );
    assert_refused(
        &Machine::complete().without("rustc"),
        &["rustc is missing", "https://rustup.rs"],
    );
    assert_refused(&Machine::complete().without("cc"), &["cc is missing", "gcc"]);
    let no_library = Machine::complete().with("cc", "cat >/dev/null; echo ld: cannot find Scrt1.o >&2; exit 1");
    assert_refused(&no_library, &["cc cannot link", "libc6-dev"]);
}

#[test]
fn a_rust_that_is_new_enough_is_asked_to_build() {
    let Some(make) = found("make") else {
        return skip(Need::Program, "make");
    };
    let oldest = format!("echo 'rustc {}.0 (abc 2025-08-04)'", env!("CARGO_PKG_RUST_VERSION"));
    for machine in [
        Machine::complete(),
        Machine::complete().with("rustc", &oldest),
        Machine::complete().with("rustc", "echo 'rustc 1.999.0-nightly (abc 2031-01-01)'"),
    ] {
        for target in ["build", "test"] {
            let output = machine.make(&make, target);
            assert!(output.stdout.contains("cargo was asked"), "{output:?}");
            assert_eq!(output.code, 2, "make's own, for cargo's 7: {output:?}");
        }
    }
}

#[test]
fn full_runs_the_random_tests_at_length_or_as_long_as_one_says() {
    let Some(make) = found("make") else {
        return skip(Need::Program, "make");
    };
    let numbers = "$CXI_RANDOM_HISTORIES $CXI_RANDOM_ROUNDS $CXI_RANDOM_RESTARTS $CXI_RANDOM_CASES \
        $CXI_RANDOM_CONFIGURATIONS $CXI_BUSY_SECONDS";
    let cargo = format!("echo \"counts: {numbers}\"; echo \"args: $*\"; {GOOD}");
    let machine = Machine::complete().with("cargo", &cargo);
    let asked = |mut command: Command| -> Output { command.output().unwrap().into() };
    let full = || {
        let mut command = machine.command(&make, &["--no-print-directory", "full"]);
        // Not the real one: it takes hours. make expands it once.
        command.env(
            "FULL_K8S",
            "sh -c 'echo node: $$CXI_REBOOTS $$CXI_RESTARTS $$CXI_SOAK_SECONDS $$CXI_K8S_KUBELET $$CXI_K8S_CONTAINERD'",
        );
        command.env("FULL_RUNTIMES", "echo runtimes");
        command
    };
    let output = asked(full());
    assert!(
        output.stdout.contains("counts: 1000 10000 1000 500000 100000 600\n"),
        "{output:?}"
    );
    let node = match nix::unistd::geteuid().is_root() {
        true => "runtimes\nnode: 20 50 3600\nnode: 1.36\nnode: 1.34 1.7\nnode: 1.34 1.7\n",
        false => "older runtimes and the Kubernetes node are left out: they need root\n",
    };
    assert!(output.stdout.contains(node), "{output:?}");
    let args = output
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("args: "))
        .unwrap();
    let tests: Vec<&str> = args.split(" --test ").skip(1).collect();
    assert!(
        ["histories", "racing"].iter().all(|test| tests.contains(test)),
        "{args}"
    );
    for test in tests {
        let file = format!("{}/tests/{test}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(Path::new(&file).is_file(), "{args}");
    }
    let mut one = full();
    one.env("CXI_RANDOM_HISTORIES", "1").env("CXI_RANDOM_CASES", "2");
    let output = asked(one);
    assert!(
        output.stdout.contains("counts: 1 10000 1000 2 100000 600\n"),
        "{output:?}"
    );
    let output = asked(machine.command(&make, &["--no-print-directory", "help"]));
    assert!(output.stdout.contains("  full "), "{output:?}");
}

/// What `tests/run` makes of a run of tests: its exit code and the last lines.
struct Counted {
    code: i32,
    lines: Vec<String>,
}

const ROOT: u32 = 0;
const USER: u32 = 1000;

/// The tests' command is this script.
fn count(script: &str, user: u32, ci: &str) -> Counted {
    count_on(Machine::new(), script, user, ci)
}

fn count_on(machine: Machine, script: &str, user: u32, ci: &str) -> Counted {
    let machine = machine.with("id", &format!("echo {user}")).with("tests", script);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    let output: Output = machine
        .command(&program, &["tests"])
        .env("CI", ci)
        .output()
        .unwrap()
        .into();
    Counted {
        code: output.code,
        lines: output.stdout.lines().map(str::to_owned).collect(),
    }
}

impl Counted {
    #[track_caller]
    fn assert(&self, code: i32, counts: &str) -> &Self {
        assert_eq!(
            (self.code, self.lines.last().unwrap().as_str()),
            (code, counts),
            "{:#?}",
            self.lines
        );
        self
    }

    #[track_caller]
    fn assert_says(&self, part: &str) {
        assert!(
            self.lines.iter().any(|line| line.contains(part)),
            "no {part:?} in {:#?}",
            self.lines
        );
    }
}

/// Two test binaries.
const GOOD: &str = "echo 'test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s'
echo 'test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s'";
const BAD: &str =
    "echo 'test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s'; exit 101";

fn with_skips(skips: &[&str]) -> String {
    let lines = skips
        .iter()
        .map(|skip| format!("echo 'SKIPPED {skip}' >>$CXI_TEST_SKIPS\n"));
    lines.chain([GOOD.to_owned()]).collect()
}

#[test]
fn the_counts_are_those_of_all_binaries_and_a_failure_stays_one() {
    count(GOOD, USER, "").assert(0, "17 passed, 0 failed, 0 skipped");
    count(&format!("{GOOD}\n{BAD}"), USER, "").assert(101, "20 passed, 2 failed, 0 skipped");
    // One that crashed, or was not built, has no result of its own.
    let crashed = count(&format!("{GOOD}\nexit 101"), USER, "");
    crashed
        .assert(101, "17 passed, 0 failed, 0 skipped")
        .assert_says("not all tests");
    for nothing in ["", "echo 'test result: ok. 0 passed; 0 failed; 0 ignored'"] {
        count(nothing, USER, "")
            .assert(1, "0 passed, 0 failed, 0 skipped")
            .assert_says("no test ran");
    }
}

#[test]
fn a_skipped_test_has_not_passed_and_one_that_needs_root_is_expected_of_others() {
    // A test may say it more than once, and names may begin alike.
    let root = [
        "a::b::c: needs root: x",
        "a::b::c: needs root: y",
        "a::b::d: needs root: x",
        "e::c: needs root: x",
    ];
    let counts = "14 passed, 0 failed, 3 skipped";
    for ci in ["", "true"] {
        count(&with_skips(&root), USER, ci)
            .assert(0, counts)
            .assert_says("SKIPPED a::b::d: needs root: x");
        count(&with_skips(&root), ROOT, ci)
            .assert(1, counts)
            .assert_says("3 skipped tests should have run");
    }
    // And what failed has failed for its own reason.
    count(&format!("{}\n{BAD}", with_skips(&root)), ROOT, "").assert(101, "17 passed, 2 failed, 3 skipped");
}

/// Each kind of lack, on a machine that has the thing and on one that has it not.
#[test]
fn what_could_have_run_fails_and_in_ci_everything_could() {
    let (root_of_a_namespace, nobody) = ("exit 0", "exit 1");
    for (skip, unshare, code) in [
        ("a::b: needs namespaces: for root: none", root_of_a_namespace, 1),
        ("a::b: needs namespaces: for root: none", nobody, 0),
        ("a::b: needs a program: tests", nobody, 1),
        ("a::b: needs a program: no-such-program of this machine", nobody, 0),
        ("a::b: needs ptrace: not permitted", nobody, 0),
        ("a::b: needs a holiday: nobody knows this need", nobody, 1),
        ("a::b: has no reason", nobody, 1),
    ] {
        for user in [ROOT, USER] {
            let (script, counts) = (with_skips(&[skip]), "16 passed, 0 failed, 1 skipped");
            let on = |ci| count_on(Machine::new().with("unshare", unshare), &script, user, ci);
            on("").assert(code, counts).assert_says(&format!("SKIPPED {skip}"));
            on("true")
                .assert(1, counts)
                .assert_says("1 skipped tests should have run");
        }
    }
    let ignored = GOOD.replacen("0 ignored", "2 ignored", 1);
    count(&ignored, USER, "")
        .assert(1, "17 passed, 0 failed, 2 skipped")
        .assert_says("2 tests are ignored");
}

/// Where the tests themselves run: what is skipped reaches `tests/run`.
#[test]
fn a_skip_is_written_where_it_is_counted() {
    const INSIDE: &str = "CXI_TEST_SKIP_NOW";
    if std::env::var_os(INSIDE).is_some() {
        return skip(Need::Program, "one of\ntwo lines");
    }
    let folder = scratch();
    let file = folder.path().join("skips");
    fs::write(&file, "before\n").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_skip_is_written_where_it_is_counted"]);
    let output: Output = command
        .env(INSIDE, "1")
        .env("CXI_TEST_SKIPS", &file)
        .output()
        .unwrap()
        .into();
    let line = "SKIPPED commands::a_skip_is_written_where_it_is_counted: needs a program: one of two lines\n";
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("before\n{line}"),
        "{output:?}"
    );
    assert!(output.stderr.contains(line), "{output:?}");
}
