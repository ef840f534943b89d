//! Sets of environment variables that a site asks for by name.

use std::collections::BTreeMap;

use super::common::Output;
use super::common::generator_fixture::{GeneratorFixture, assert_has};
use super::program::Program;

/// The variables of containers, with where each comes from.
fn variables(text: &str, flags: &[&str]) -> BTreeMap<String, (String, String)> {
    let entries = Program::new(text).config(|command| {
        command.args(flags);
    });
    let variables = entries.into_iter().filter_map(|entry| {
        let key = entry.key.strip_prefix("container.env.")?.to_owned();
        Some((key, (entry.value.as_str().unwrap().to_owned(), entry.origin)))
    });
    variables.collect()
}

#[test]
fn none_is_set_unless_it_is_asked_for() {
    assert!(variables("", &[]).is_empty());
    assert!(
        GeneratorFixture::one()
            .spec(["--libraries", "none"])
            .container_edits
            .env
            .is_empty()
    );
}

#[test]
fn each_sets_what_it_is_for() {
    for (preset, expected) in [
        ("vf", &[("CXIP_SKIP_AMA_CHECK", "1"), ("CXIP_SKIP_RH_CHECK", "1")][..]),
        ("mr-cache", &[("FI_MR_CACHE_MONITOR", "kdreg2")]),
        (
            "ccl",
            &[
                ("FI_CXI_DEFAULT_CQ_SIZE", "131072"),
                ("FI_CXI_DISABLE_HOST_REGISTER", "1"),
                ("FI_CXI_RX_MATCH_MODE", "hybrid"),
                ("NCCL_NET_GDR_LEVEL", "PHB"),
                ("NCCL_SOCKET_IFNAME", "hsn"),
            ],
        ),
    ] {
        let set = variables(&format!("[container]\npresets = [\"{preset}\"]\n"), &[]);
        let expected = expected.iter().map(|(key, value)| {
            let from = format!("preset {preset}");
            ((*key).to_owned(), ((*value).to_owned(), from))
        });
        assert_eq!(set, expected.collect(), "{preset}");
        let spec = GeneratorFixture::one().spec(["--libraries", "none", "--presets", preset]);
        let mut env = spec.container_edits.env;
        env.sort();
        let lines: Vec<String> = set.iter().map(|(key, (value, _))| format!("{key}={value}")).collect();
        assert_eq!(env, lines);
    }
}

#[test]
fn each_variable_can_be_set_otherwise() {
    let text = "[container]\npresets = [\"vf\", \"ccl\", \"vf\"]\n[container.env]\nCXIP_SKIP_RH_CHECK = \"0\"\nOTHER = \"x\"\n";
    let set = variables(text, &[]);
    assert_eq!(set.len(), 8, "{set:?}");
    assert_eq!(set["CXIP_SKIP_RH_CHECK"], ("0".to_owned(), "config.toml:4".to_owned()));
    assert_eq!(set["CXIP_SKIP_AMA_CHECK"].1, "preset vf");
    // A flag is a list as a whole.
    let set = variables(text, &["--presets", "mr-cache"]);
    assert_eq!(set.len(), 3, "{set:?}");
    let fixture = GeneratorFixture::one();
    let file = fixture.host("env.yaml");
    std::fs::write(&file, "env:\n- CXIP_SKIP_RH_CHECK=0\n").unwrap();
    let args = [
        "--libraries",
        "none",
        "--presets",
        "vf",
        "--env-vars",
        file.to_str().unwrap(),
    ];
    assert_eq!(
        fixture.spec(args).container_edits.env,
        ["CXIP_SKIP_AMA_CHECK=1", "CXIP_SKIP_RH_CHECK=0"]
    );
}

#[test]
fn people_read_which_one_it_was_and_of_when() {
    let program = Program::new("[container]\npresets = [\"vf\"]\n");
    let mut command = program.command("config");
    let output: Output = command
        .arg("--config")
        .arg(program.path("config.toml"))
        .output()
        .unwrap()
        .into();
    assert_has(&output.stdout, "preset vf of 2026-11");
    let wrong = Program::new("[container]\npresets = [\"sr-iov\"]\n").check();
    assert_eq!(wrong.code, 78);
    assert_has(
        &wrong.stderr,
        "2:12: container.presets: 'sr-iov' is not one of \"vf\", \"mr-cache\", \"ccl\"",
    );
}
