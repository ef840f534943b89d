//! `cxi-cdi-generator list`: what the CDI directories offer, as readers of CDI resolve it.
#![cfg(test)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::generator_fixture::{FIRST, GeneratorFixture, SECOND, THIRD, assert_has, nic};
use common::{Generator, Output, listing};
use container_device_interface::cache::Cache;
use container_device_interface::spec_dirs::with_spec_dirs;
use cxi_sim::node::Variant;
use serde_json::Value;

/// A static and a dynamic CDI directory beside an emulated node.
struct Directories {
    fixture: GeneratorFixture,
}

impl Directories {
    fn new(fixture: GeneratorFixture) -> Self {
        let directories = Self { fixture };
        for name in ["etc", "run"] {
            fs::create_dir(directories.path(name)).unwrap();
        }
        directories
    }

    fn path(&self, name: &str) -> PathBuf {
        self.fixture.folder.path().join(name)
    }

    fn generate<const N: usize>(&self, directory: &str, args: [&str; N]) {
        let output = self.fixture.generator().args(args).write_to(&self.path(directory));
        assert_eq!(output.code, 0, "{output:?}");
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    fn list<const N: usize>(&self, args: [&str; N]) -> Output {
        let mut generator = Generator::new();
        generator.arg("list").arg("--root").arg(self.fixture.node.root());
        for name in ["etc", "run"] {
            generator.arg("--cdi-dir").arg(self.path(name));
        }
        generator.args(args).output()
    }

    fn json(&self) -> Value {
        let output = self.list(["--output", "json"]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// Each name with the directory of its file, its state and the reason for it.
    fn states(&self) -> Vec<(String, String, String, String)> {
        let listed = self.json();
        let devices = listed["devices"].as_array().unwrap().iter();
        let text = |device: &Value, key: &str| device[key].as_str().unwrap_or_default().to_owned();
        let folder = self.fixture.folder.path().display().to_string() + "/";
        devices
            .map(|device| {
                let name = text(device, "name");
                let file = text(device, "file").replace(&folder, "");
                let directory = file.split('/').next().unwrap().to_owned();
                let reason = text(device, "reason").replace(&folder, "");
                let name = name.strip_prefix("hpe.com/cxi=").unwrap().to_owned();
                (name, directory, text(device, "state"), reason)
            })
            .collect()
    }

    fn assert_state(&self, name: &str, directory: &str, state: &str, reason: &str) {
        let states = self.states();
        let found = states.iter().find(|entry| entry.0 == name && entry.1 == directory);
        let (_, _, found_state, found_reason) = found.unwrap_or_else(|| panic!("{name} in {states:?}"));
        assert_eq!(
            (found_state.as_str(), found_reason.as_str()),
            (state, reason),
            "{states:?}"
        );
    }

    /// Names that another implementation of CDI resolves. Of conflicts and bad files it is no judge: other than the
    /// library of the runtimes, it resolves the one and stops at the other.
    fn resolved_by_another_reader(&self) -> Vec<String> {
        let directories = [self.path("etc"), self.path("run")];
        let directories: Vec<&str> = directories.iter().map(|path| path.to_str().unwrap()).collect();
        let mut cache = Cache::default();
        with_spec_dirs(&directories)(&mut cache);
        cache.refresh().unwrap();
        let mut names = cache.list_devices();
        names.sort();
        names
    }
}

fn foreign(kind: &str, names: &[&str]) -> String {
    let devices = names.iter().map(|name| {
        format!("- name: \"{name}\"\n  containerEdits:\n    deviceNodes:\n    - path: /dev/cxi0\n      hostPath: /dev/cxi0\n")
    });
    format!(
        "cdiVersion: 0.5.0\nkind: {kind}\ndevices:\n{}",
        devices.collect::<String>()
    )
}

#[test]
fn a_table_shows_each_name_with_its_nodes_and_marks_those_that_move() {
    let directories = Directories::new(GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]));
    directories.generate("etc", []);
    let output = directories.list([]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let file = directories.path("etc/hpe.com-cxi.yaml").display().to_string();
    let words: Vec<Vec<&str>> = output
        .stdout
        .lines()
        .take(8)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(words[0], ["NAME", "NODES", "FILE", "MOVES", "STATE"]);
    assert_eq!(words[1], [&format!("hpe.com/cxi={FIRST}"), "/dev/cxi0", &file, "ok"]);
    assert_eq!(words[2], ["hpe.com/cxi=cxi0", "/dev/cxi0", &file, "yes", "ok"]);
    assert_eq!(words[6], ["hpe.com/cxi=1", "/dev/cxi1", &file, "yes", "ok"]);
    assert_eq!(words[7], ["hpe.com/cxi=all", "/dev/cxi0", "/dev/cxi1", &file, "ok"]);
    assert_has(&output.stdout, "\nmoves: ");

    // The columns stand below each other.
    let column = output.stdout.find("FILE").unwrap();
    for line in output.stdout.lines().skip(1).take(7) {
        assert_eq!(line.find(&file), Some(column), "{}", output.stdout);
    }
    assert!(
        !output.stdout.contains('\u{1b}'),
        "colours without a terminal: {output:?}"
    );
}

#[test]
fn programs_get_the_same_as_json() {
    let directories = Directories::new(GeneratorFixture::one());
    directories.generate("etc", ["--names", "pci,cxi", "--no-all"]);
    directories.put("run/bad.json", "{}");
    let file = directories.path("etc/hpe.com-cxi.yaml");
    let mut listed = directories.json();
    let invalid = listed["invalid"].take();
    let device = |name: &str, moves: bool| {
        serde_json::json!({
            "name": format!("hpe.com/cxi={name}"), "file": file, "nodes": ["/dev/cxi0"], "moves": moves, "state": "ok",
        })
    };
    assert_eq!(
        listed["devices"],
        serde_json::json!([device(FIRST, false), device("cxi0", true)])
    );
    assert_eq!(invalid[0]["file"].as_str(), directories.path("run/bad.json").to_str());
    assert_has(invalid[0]["reason"].as_str().unwrap(), "no CDI spec: ");
}

#[test]
fn a_dynamic_name_shadows_the_static_one_of_the_same_name_only() {
    let directories = Directories::new(GeneratorFixture::one());
    directories.generate("etc", []);
    directories.generate("run", ["--names", "pci", "--no-all"]);
    directories.assert_state(FIRST, "etc", "shadowed", "by run/hpe.com-cxi.yaml");
    directories.assert_state(FIRST, "run", "ok", "");
    directories.assert_state("cxi0", "etc", "ok", "");
}

#[test]
fn two_files_of_one_directory_take_a_name_from_all() {
    let directories = Directories::new(GeneratorFixture::one());
    directories.generate("etc", []);
    directories.put("etc/copy.json", &foreign("hpe.com/cxi", &["cxi0", "extra"]));
    directories.generate("run", []);
    let reason = "no reader resolves it: both etc/copy.json and etc/hpe.com-cxi.yaml have it";
    let conflicts: Vec<_> = directories
        .states()
        .into_iter()
        .filter(|entry| entry.0 == "cxi0")
        .collect();
    assert_eq!(conflicts.len(), 3, "{conflicts:?}");
    for (_, _, state, why) in conflicts {
        assert_eq!((state.as_str(), why.as_str()), ("conflict", reason));
    }
    directories.assert_state("extra", "etc", "ok", "");
    directories.assert_state(FIRST, "run", "ok", "");
}

#[test]
fn another_reader_resolves_what_the_list_says_it_does() {
    let directories = Directories::new(GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]));
    directories.generate("etc", []);
    directories.generate("run", ["--names", "pci"]);
    directories.put("run/foreign.yaml", &foreign("hpe.com/cxi", &["mine"]));
    directories.put("run/other.yaml", &foreign("example.com/cxi", &[FIRST]));
    let mut ours: Vec<String> = directories
        .states()
        .into_iter()
        .filter(|entry| entry.2 == "ok")
        .map(|entry| format!("hpe.com/cxi={}", entry.0))
        .collect();
    ours.sort();
    let mut theirs = directories.resolved_by_another_reader();
    theirs.retain(|name| name.starts_with("hpe.com/"));
    assert_eq!(ours, theirs);
}

#[test]
fn a_name_that_only_a_stale_static_file_has_is_marked() {
    let directories = Directories::new(GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]));
    directories.generate("etc", []);
    directories.fixture.node.remove(SECOND).unwrap();
    directories.assert_state(SECOND, "etc", "stale", "/dev/cxi1 is gone");
    directories.generate("run", []);
    directories.assert_state(
        SECOND,
        "etc",
        "stale",
        "/dev/cxi1 is gone; only this file still has the name",
    );
    directories.assert_state(
        "cxi1",
        "etc",
        "stale",
        "/dev/cxi1 is gone; only this file still has the name",
    );
    directories.assert_state("all", "etc", "shadowed", "by run/hpe.com-cxi.yaml");
    directories.assert_state(FIRST, "run", "ok", "");
}

#[test]
fn an_address_that_leads_to_another_nics_node_is_stale() {
    let directories = Directories::new(GeneratorFixture::new(&[nic(FIRST), nic(SECOND)]));
    directories.generate("etc", []);
    let spec = directories.path("etc/hpe.com-cxi.yaml");
    let text = fs::read_to_string(&spec).unwrap();
    fs::write(&spec, text.replace("/dev/cxi1", "/dev/cxi0")).unwrap();
    directories.assert_state(SECOND, "etc", "stale", &format!("/dev/cxi0 is the node of {FIRST} now"));
    directories.put("run/foreign.yaml", &foreign("hpe.com/cxi", &[THIRD]));
    directories.assert_state(THIRD, "run", "stale", "the NIC is gone");
}

#[test]
fn files_that_no_reader_takes_are_listed_with_the_reason() {
    let directories = Directories::new(GeneratorFixture::one());
    directories.put("etc/a.yaml", &foreign("hpe.com/cxi", &[]));
    directories.put("etc/b.json", "\u{1b}[31m: {");
    fs::write(directories.path("etc/c.yaml"), [0xff, 0xfe]).unwrap();
    fs::create_dir(directories.path("etc/d.yaml")).unwrap();
    fs::write(directories.path("etc/e.yaml"), vec![b' '; (4 << 20) + 1]).unwrap();
    nix::unistd::mkfifo(&directories.path("etc/f.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    directories.put(
        "etc/g.yaml",
        &foreign("hpe.com/cxi", &["ok"]).replace("deviceNodes", "deviceNode"),
    );
    directories.put("etc/ignored.yml", "no spec");
    let listed = directories.json();
    let invalid: Vec<(&str, &str)> = listed["invalid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["file"].as_str().unwrap().rsplit('/').next().unwrap(),
                file["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("a.yaml", "no devices"),
        ("b.json", "no CDI spec: "),
        ("c.yaml", "not a text"),
        ("d.yaml", "not a regular file"),
        ("e.yaml", "longer than 4194304 bytes"),
        ("f.json", "not a regular file"),
        ("g.yaml", "no CDI spec: "),
    ];
    assert_eq!(invalid.len(), expected.len(), "{invalid:?}");
    for ((file, reason), (expected_file, expected_reason)) in invalid.into_iter().zip(expected) {
        assert_eq!(file, expected_file);
        assert!(reason.starts_with(expected_reason), "{file}: {reason}");
    }
    assert_has(&directories.list([]).stdout, "INVALID FILE");
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let directories = Directories::new(GeneratorFixture::one());
    directories.put("etc/\u{1b}[31m.yaml", "no spec");
    let output = directories.list([]);
    assert!(!output.stdout.contains('\u{1b}'), "{output:?}");
    assert_has(&output.stdout, "\\u{1b}[31m.yaml");
}

#[test]
fn directories_that_are_not_there_offer_nothing() {
    let fixture = GeneratorFixture::one();
    let output = fixture
        .generator_of("list")
        .arg("--cdi-dir")
        .arg(fixture.cdi())
        .output();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    assert_eq!(
        output.stdout,
        format!("no hpe.com/cxi device in {}\n", fixture.cdi().display())
    );
}

#[test]
fn a_directory_that_cannot_be_listed_is_an_error_that_names_it() {
    let fixture = GeneratorFixture::one();
    fs::write(fixture.cdi(), "").unwrap();
    let output = fixture
        .generator_of("list")
        .arg("--cdi-dir")
        .arg(fixture.cdi())
        .output();
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    assert_has(
        &output.stderr,
        &format!("cannot list the CDI directory {}\n  because: ", fixture.cdi().display()),
    );
}

#[test]
fn a_node_that_cannot_be_scanned_still_has_files_to_list() {
    let fixture = GeneratorFixture::one().with_files(&[("foreign.yaml", &foreign("hpe.com/cxi", &["cxi0"]))]);
    fs::remove_dir_all(fixture.host("sys/bus/pci/devices")).unwrap();
    fs::write(fixture.host("sys/bus/pci/devices"), "").unwrap();
    let output = fixture
        .generator_of("list")
        .arg("--cdi-dir")
        .arg(fixture.cdi())
        .output();
    assert_eq!(output.code, 0, "{output:?}");
    assert_has(&output.stderr, "warning: cannot look for NICs");
    assert_has(&output.stdout, "hpe.com/cxi=cxi0");
}

#[test]
fn listing_changes_nothing() {
    let directories = Directories::new(GeneratorFixture::new(&[nic(FIRST).variant(Variant::V5)]));
    directories.put("etc/foreign.yaml", &foreign("hpe.com/cxi", &["cxi0"]));
    let before = listing(&directories.path("etc"));
    directories.json();
    assert_eq!(listing(&directories.path("etc")), before);
}
