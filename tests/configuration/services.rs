//! `[cxi_service]`: what a site makes of NICs that no pod could use, and whose ids a pod has.

use serde_json::{Value, json};

use super::common::Output;
use super::program::{Entry, Program};

fn of(config: &[Entry], key: &str) -> (Value, String) {
    let entry = config.iter().find(|entry| entry.key == key).unwrap();
    (entry.value.clone(), entry.origin.clone())
}

/// The two names of the one setting.
const KEYS: [&str; 2] = ["cxi_service.default_service", "health.cxi-service"];

#[test]
fn the_default_service_and_its_condition_are_one_setting_under_two_names() {
    for (text, both) in [
        ("", ["warn", "warn"]),
        ("[cxi_service]\ndefault_service = \"require\"\n", ["require", "fail"]),
        ("[cxi_service]\ndefault_service = \"ignore\"\n", ["ignore", "ignore"]),
        ("[health]\n\ncxi-service = \"fail\"\n", ["require", "fail"]),
        ("[health]\n\ncxi-service = \"ignore\"\n", ["ignore", "ignore"]),
    ] {
        let config = Program::new(text).config(|_| ());
        // Whoever was silent says the same, from where the other one was given.
        let line = text.lines().position(|line| line.contains(" = ")).map(|line| line + 1);
        let origin = line.map_or("default".to_owned(), |line| format!("config.toml:{line}"));
        for (key, value) in KEYS.iter().zip(both) {
            assert_eq!(of(&config, key), (json!(value), origin.clone()), "{text}");
        }
    }
}

#[test]
fn said_twice_it_must_be_said_alike_wherever_it_stands() {
    let program = Program::new("[cxi_service]\ndefault_service = \"require\"\n[health]\ncxi-service = \"fail\"\n");
    let config = program.config(|_| ());
    assert_eq!(of(&config, KEYS[0]), (json!("require"), "config.toml:2".to_owned()));
    assert_eq!(of(&config, KEYS[1]), (json!("fail"), "config.toml:4".to_owned()));
    program.write("config.d/10-site.toml", "[health]\ncxi-service = \"warn\"\n");
    let output = program.check();
    assert_eq!(output.code, 78, "{output:?}");
    let [file, drop_in] = ["config.toml", "config.d/10-site.toml"].map(|name| program.path(name));
    let expected = format!(
        "{}:2:19: cxi_service.default_service: \"require\" is health.cxi-service = \"fail\", and {}:2 says \"warn\": leave one of them \
         out",
        file.display(),
        drop_in.display()
    );
    assert!(output.stderr.contains(&expected), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 2, "{output:?}");
    // A former value over which another one wins does not count.
    program.write("config.d/20-site.toml", "[health]\ncxi-service = \"fail\"\n");
    assert_eq!(program.check().code, 0);
}

#[test]
fn a_pods_ids_are_numbers_of_the_host_or_any() {
    let config = Program::new("[cxi_service]\nuid = 1000\ngid = \"any\"\nlingers_after = \"90s\"\n").config(|_| ());
    assert_eq!(
        of(&config, "cxi_service.uid"),
        (json!(1000), "config.toml:2".to_owned())
    );
    assert_eq!(
        of(&config, "cxi_service.gid"),
        (json!("any"), "config.toml:3".to_owned())
    );
    assert_eq!(of(&config, "cxi_service.lingers_after").0, json!("90s"));
    for wrong in ["-1", "4294967295", "\"root\"", "1.5"] {
        let program = Program::new(&format!("[cxi_service]\nuid = {wrong}\n"));
        let output: Output = program.check();
        assert_eq!(output.code, 78, "{wrong}: {output:?}");
        assert!(
            output.stderr.contains(":2:7: cxi_service.uid: ")
                && output
                    .stderr
                    .contains("is not a number from 0 to 4294967294, or \"any\""),
            "{output:?}"
        );
    }
}
