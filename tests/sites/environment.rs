//! The file of `--env-vars`, as people write it.

use std::fs;

use crate::common::doctor_fixture::DoctorFixture;
use crate::common::{Generator, Output};

fn generate(fixture: &DoctorFixture, yaml: &str) -> Output {
    let file = fixture.host.path("env.yaml");
    fs::write(&file, yaml).unwrap();
    Generator::below(fixture.root())
        .args(["--dry-run", "--env-vars", file.to_str().unwrap()])
        .output()
}

#[test]
fn an_environment_with_nothing_in_it_is_empty() {
    let fixture = DoctorFixture::one();
    for yaml in [
        "env:\n",
        "env: null\n",
        "env: ~\n",
        "env: []\n",
        "env: {}\n",
        "env:\n# - A=b\n",
        "---\nenv:\n...\n",
    ] {
        let output = generate(&fixture, yaml);
        assert_eq!(output.code, 0, "{yaml:?}: {output:?}");
    }
    for yaml in ["", "# nothing\n", "env: 3\n", "env: text\n", "vars:\n"] {
        let output = generate(&fixture, yaml);
        assert_eq!(output.code, 78, "{yaml:?}: {output:?}");
    }
}

#[test]
fn a_variable_that_stands_twice_is_named_with_both_lines() {
    let fixture = DoctorFixture::one();
    for (yaml, name, lines) in [
        ("env:\n- A=1\n- B=2\n- C=3\n- A=4\n", "A", [2, 5]),
        ("env:\n  A: 1\n  B: 2\n  C: 3\n  A: 4\n", "A", [2, 5]),
        ("env:\n  A: 1\n  \"A\": 1\n", "A", [2, 3]),
        ("env:\n- A=1\n\n# between\n- \"A=1\"\n", "A", [2, 5]),
        ("env: [A=1, B=2,\n  A=3]\n", "A", [1, 2]),
        (
            "# first\nenv:\n- FI_PROVIDER=cxi\n- 'FI_PROVIDER=tcp'\n",
            "FI_PROVIDER",
            [3, 4],
        ),
    ] {
        let output = generate(&fixture, yaml);
        assert_eq!(output.code, 78, "{yaml:?}: {output:?}");
        let said = format!("{name} stands twice, lines {} and {}", lines[0], lines[1]);
        assert!(output.stderr.contains(&said), "{said}:\n{}", output.stderr);
    }
}

#[test]
fn the_generator_warns_of_a_loader_path_as_the_daemon_does() {
    let fixture = DoctorFixture::one();
    for yaml in ["env:\n- LD_LIBRARY_PATH=/x\n", "env:\n  LD_LIBRARY_PATH: /x\n"] {
        let output = generate(&fixture, yaml);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(
            output.stderr.contains("LD_LIBRARY_PATH") && output.stderr.contains("replaces the value of the image"),
            "{output:?}"
        );
    }
    let output = generate(&fixture, "env:\n- A=b\n");
    assert!(!output.stderr.contains("LD_LIBRARY_PATH"), "{output:?}");
}
