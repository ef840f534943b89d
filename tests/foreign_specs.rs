//! Specs of others: read as the readers in Go read them, never changed, and nothing of them that could be a secret is passed on.
#![cfg(test)]

mod common;

use std::fs;
use std::path::Path;

use common::daemon::{DaemonFixture, nics};
use common::doctor_fixture::DoctorFixture;
use common::generator_fixture::{FIRST, GeneratorFixture, assert_has};
use common::{Generator, listing, scratch};

const OTHER: &str = "cdiVersion: 0.5.0\nkind: example.com/nic\ndevices: [{name: a, containerEdits: {env: [A=B]}}]\n";

/// Spellings that `encoding/json` takes for the keys of the specification.
fn spelled(name: &str) -> Vec<String> {
    let text = format!(
        "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ndevices: [{{name: '{name}', containerEdits: {{env: [A=B]}}}}]\n"
    );
    [
        ("kind", "Kind"),
        ("kind", "KIND"),
        ("kind", "\u{212a}ind"),
        ("devices", "Devices"),
        ("devices", "device\u{17f}"),
        ("name", "NAME"),
        ("kind: hpe.com/cxi", "Kind: example.com/other\nkind: hpe.com/cxi"),
    ]
    .iter()
    .map(|(key, other)| text.replace(key, other))
    .collect()
}

#[test]
fn a_clash_is_seen_however_its_keys_are_spelled() {
    for text in spelled(FIRST) {
        let fixture = GeneratorFixture::one().with_files(&[("other.yaml", &text)]);
        let output = fixture.write([]);
        assert_eq!(output.code, 1, "{text}: {output:?}");
        assert_has(&output.stderr, "other.yaml offers hpe.com/cxi=0000:21:00.0");
        let mut list = Generator::new();
        list.args(["list", "--cdi-dir"]).arg(fixture.cdi());
        let listed = list.output();
        assert_has(&listed.stdout, &format!("hpe.com/cxi={FIRST}"));
    }
    // The last spelling counts, in the order of bytes.
    let other = spelled(FIRST)[0].replace("Kind: hpe.com/cxi", "Kind: hpe.com/cxi\nkind: example.com/other");
    let fixture = GeneratorFixture::one().with_files(&[("other.yaml", &other)]);
    assert_eq!(fixture.write([]).code, 0);
}

#[test]
fn no_value_leaves_the_node_by_a_key_that_is_spelled_otherwise() {
    let fixture = DoctorFixture::podman();
    let specs = [
        "cdiVersion: 0.5.0\nkind: a.b/c\ndevices: [{name: x, containerEdits: {Env: [TOKEN=hunter2]}}]\n",
        "cdiVersion: 0.5.0\nkind: a.b/d\ndevices: [{name: x, ContainerEdits: {HOOKS: [{hookName: prestart, path: /x, Args: [hunter2], ENV: [A=hunter2]}]}}]\n",
        "cdiVersion: 0.5.0\nkind: a.b/e\nannotations: {k: hunter2}\npassword: hunter2\nhunter2: x\ndevices: []\n",
        "cdiVersion: 0.5.0\nkind: a.b/f\ndevices: [{name: x, containerEdits: {mounts: [{hostPath: /a, containerPath: /b, options: [password=hunter2]}]}}]\n",
        "{\"Annotations\": [\"hunter2\"], \"kind\": {\"x\": \"hunter2\"}}\n",
    ];
    for (index, text) in specs.iter().enumerate() {
        fixture.write(&format!("etc/cdi/{index}.yaml"), text);
    }
    let folder = scratch();
    let target = folder.path().join("node.tar");
    let output = fixture.doctor(&["--bundle", target.to_str().unwrap()]);
    assert_eq!(output.code, 3, "{output:?}");
    let bytes = fs::read(&target).unwrap();
    let bundle = String::from_utf8_lossy(&bytes);
    assert!(!bundle.contains("hunter2"));
    assert_has(&bundle, "TOKEN=(left out)");
    // The same is found on a copy.
    fixture.ids();
}

fn unchanged(directory: &Path, run: impl FnOnce() -> common::Output) -> common::Output {
    let before = listing(directory);
    let output = run();
    assert_eq!(listing(directory), before, "{output:?}");
    output
}

#[test]
fn a_spec_of_another_kind_by_our_name_stays() {
    for suffix in ["yaml", "json"] {
        for text in [OTHER, &OTHER.replace("kind", "KIND"), "kind: example.com/nic\n"] {
            let name = format!("hpe.com-cxi.{suffix}");
            let fixture = GeneratorFixture::one().with_files(&[(&name, text)]);
            for args in [["--format", "yaml"], ["--format", "json"]] {
                let output = unchanged(&fixture.cdi(), || fixture.write(args));
                assert_eq!(output.code, 1, "{output:?}");
                assert_has(&output.stderr, &format!("{name} is a spec of kind 'example.com/nic'"));
            }
            let without_nics = GeneratorFixture::new(&[]).with_files(&[(&name, text)]);
            let output = unchanged(&without_nics.cdi(), || without_nics.write([]));
            assert_eq!(output.code, 1, "{output:?}");
            for (command, code) in [("remove", 1), ("verify", 3)] {
                let mut generator = Generator::new();
                generator.arg(command);
                if command == "verify" {
                    generator.arg("--root").arg(fixture.node.root());
                }
                let output = unchanged(&fixture.cdi(), || generator.write_to(&fixture.cdi()));
                assert_eq!(output.code, code, "{command}: {output:?}");
                assert_has(&format!("{}{}", output.stdout, output.stderr), "kind 'example.com/nic'");
            }
        }
    }
}

#[test]
fn the_daemon_keeps_it_too() {
    for suffix in ["yaml", "json"] {
        let host = DaemonFixture::new(&nics(1));
        fs::create_dir(host.path("cdi")).unwrap();
        let file = host.path("cdi").join(format!("hpe.com-cxi.{suffix}"));
        fs::write(&file, OTHER).unwrap();
        let daemon = host.start(&[]);
        daemon.wait_for_log("is a spec of kind 'example.com/nic'");
        daemon.wait_for_log("waiting for kubelet.sock in");
        assert_eq!(daemon.terminate().code(), Some(0));
        assert_eq!(fs::read_to_string(&file).unwrap(), OTHER);
    }
}
