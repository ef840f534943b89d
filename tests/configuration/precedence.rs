//! What counts depends on nothing but the stated order: default, `$RUNTIME_DIRECTORY`, the file, drop-ins by name, and the
//! environment or flags.

use std::collections::BTreeMap;

use cxi_device_plugin::model::health::{Check, HealthPolicy};
use fastrand::Rng;
use serde_json::{Value, json};

use super::common::say;
use super::program::{Entry, Program};

/// How a key can be given beside in a file.
#[derive(Clone, Copy)]
enum Else {
    Nothing,
    Flag(&'static str),
    /// A flag, which wins, and a variable.
    Variable(&'static str, &'static str),
}

/// A key with values to choose from, as JSON has them, which is as TOML has them.
struct Key {
    key: &'static str,
    values: &'static [&'static str],
    also: Else,
}

const fn key(key: &'static str, values: &'static [&'static str], also: Else) -> Key {
    Key { key, values, also }
}

/// Directories that every host has.
const DIRECTORIES: &[&str] = &["\"/\"", "\"/usr\"", "\"/etc\"", "\"/tmp\""];
const CONDITION: &[&str] = &["\"fail\"", "\"warn\"", "\"ignore\""];
const TRUTH: &[&str] = &["true", "false"];

const KEYS: &[Key] = &[
    key(
        "exclude",
        &["[]", "[\"0000:21:00.0\"]", "[\"hsn1\", \"hsn2\"]"],
        Else::Nothing,
    ),
    key("daemon.run_dir", DIRECTORIES, Else::Flag("--run-dir")),
    key("daemon.start_grace", &["\"1s\"", "\"2m\""], Else::Nothing),
    key("roots.sysfs", DIRECTORIES, Else::Variable("--sysfs-root", "SYSFS_ROOT")),
    key("roots.dev", DIRECTORIES, Else::Variable("--devfs-root", "DEVFS_ROOT")),
    key("roots.ofi", DIRECTORIES, Else::Variable("--ofi-root", "OFI_ROOT")),
    key("roots.cxi", DIRECTORIES, Else::Variable("--cxi-root", "CXI_ROOT")),
    key("kubelet.enabled", &["\"auto\"", "true", "false"], Else::Nothing),
    key("kubelet.dir", DIRECTORIES, Else::Flag("--kubelet-dir")),
    key("kubelet.pod_resources", &["\"/x.sock\"", "\"/y.sock\""], Else::Nothing),
    key("cdi.dir", DIRECTORIES, Else::Flag("--cdi-dir")),
    key("cdi.format", &["\"yaml\"", "\"json\""], Else::Nothing),
    key("cdi.names", &["[\"pci\"]", "[\"pci\", \"index\"]"], Else::Nothing),
    key("cdi.all", TRUTH, Else::Nothing),
    key(
        "libraries.mode",
        &["\"listed\"", "\"closure\"", "\"none\""],
        Else::Flag("--libraries"),
    ),
    key(
        "libraries.expose",
        &["\"loader-paths\"", "\"env\"", "\"private\""],
        Else::Flag("--expose"),
    ),
    key("libraries.extra", &["[]", "[\"/lib/x.so\"]"], Else::Nothing),
    key("container.devices", &["[]", "[\"/dev/x?\", \"/dev/y\"]"], Else::Nothing),
    key(
        "container.netdev_view",
        &["\"off\"", "\"sysfs\""],
        Else::Flag("--netdev-view"),
    ),
    key("container.env.A", &["\"1\"", "\"2\"", "\"\""], Else::Nothing),
    key("container.env.B", &["\"x=y\"", "\"'\""], Else::Nothing),
    key(
        "allocation.strategy",
        &["\"auto\"", "\"direct\"", "\"cdi\""],
        Else::Nothing,
    ),
    key("runtime.endpoint", &["\"auto\"", "\"unix:///x.sock\""], Else::Nothing),
    key("health.poll", &["\"5s\"", "\"1m\""], Else::Flag("--pulse")),
    key("health.hold_down", &["\"0s\"", "\"250ms\""], Else::Nothing),
    key("health.link", CONDITION, Else::Nothing),
    key("health.retry-handler", CONDITION, Else::Nothing),
    key("cxi_service.uid", &["0", "1000", "\"any\""], Else::Nothing),
    key("cxi_service.gid", &["100", "\"any\""], Else::Nothing),
    key("cxi_service.lingers_after", &["\"1m\"", "\"1h\""], Else::Nothing),
    key("export.textfile", &["\"\"", "\"/x.prom\""], Else::Nothing),
    key("export.metrics_socket", &["\"\"", "\"/x.sock\""], Else::Nothing),
    key("export.nfd_dir", DIRECTORIES, Else::Nothing),
    key("export.devinfo_dir", DIRECTORIES, Else::Nothing),
    key("isolation.required", TRUTH, Else::Nothing),
    key("isolation.host_network", &["\"ignore\"", "\"refuse\""], Else::Nothing),
    key("log.level", &["\"error\"", "\"debug\""], Else::Flag("--log-level")),
    key("log.format", &["\"text\"", "\"json\""], Else::Nothing),
];

/// What one place says: keys with their values.
type Layer = BTreeMap<&'static str, &'static str>;

fn layer(rng: &mut Rng, wanted: impl Fn(&Key) -> bool) -> Layer {
    let density = rng.f64();
    let chosen = KEYS.iter().filter(|key| wanted(key) && rng.f64() < density);
    let chosen: Vec<&Key> = chosen.collect();
    chosen
        .iter()
        .map(|key| (key.key, *rng.choice(key.values).unwrap()))
        .collect()
}

/// The text of a file, its tables and keys in any order, each table possibly written as dotted keys; and the line of each key.
fn text(layer: &Layer, rng: &mut Rng) -> (String, BTreeMap<&'static str, usize>) {
    let mut tables: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for key in layer.keys() {
        tables
            .entry(key.rsplit_once('.').map_or("", |(table, _)| table))
            .or_default()
            .push(key);
    }
    let mut order: Vec<_> = tables.into_iter().collect();
    rng.shuffle(&mut order);
    order.sort_by_key(|(table, _)| !table.is_empty()); // keys of the top are before all tables
    let (mut text, mut lines, mut line) = (String::new(), BTreeMap::new(), 1);
    for (table, mut keys) in order {
        rng.shuffle(&mut keys);
        if !table.is_empty() {
            text += &format!("[{table}]  # of this test\n");
            line += 1;
        }
        for key in keys {
            for _ in 0..rng.usize(..3) {
                text += "# a remark\n";
                line += 1;
            }
            let name = key.rsplit('.').next().unwrap();
            text += &format!("{name} = {}\n", layer[key]);
            lines.insert(key, line);
            line += 1;
        }
    }
    (text, lines)
}

/// The value as a flag or variable has it.
fn plain(key: &str, value: &str) -> String {
    let text = value.trim_matches('"');
    match (key, text) {
        ("health.poll", "5s") => "5".to_owned(),
        ("health.poll", "1m") => "60".to_owned(),
        _ => text.to_owned(),
    }
}

fn one_case(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let program = Program::new("");
    // From the lowest to the highest.
    let mut files = vec!["config.toml".to_owned()];
    let mut drop_ins: Vec<String> = ["00-a", "10-b", "10-c", "9-d"]
        .map(|name| format!("config.d/{name}.toml"))
        .into();
    drop_ins.retain(|_| rng.bool());
    files.extend(drop_ins);
    let mut expected: BTreeMap<&str, (Value, String)> = BTreeMap::new();
    let mut written: Vec<(String, String)> = Vec::new();
    for file in &files {
        let layer = layer(&mut rng, |_| true);
        let (text, lines) = text(&layer, &mut rng);
        for (key, value) in &layer {
            let name = file.rsplit('/').next().unwrap();
            let value = serde_json::from_str(value).unwrap();
            expected.insert(key, (value, format!("{name}:{}", lines[key])));
        }
        written.push((file.clone(), text));
    }
    // The order of writing is not that of reading.
    rng.shuffle(&mut written);
    for (file, text) in &written {
        program.write(file, text);
    }
    let variables = layer(&mut rng, |key| matches!(key.also, Else::Variable(..)));
    let flags = layer(&mut rng, |key| !matches!(key.also, Else::Nothing));
    let mut arguments: Vec<[String; 2]> = Vec::new();
    let mut environment: Vec<(&str, String)> = Vec::new();
    for key in KEYS {
        if let (Else::Variable(_, variable), Some(value)) = (key.also, variables.get(key.key)) {
            environment.push((variable, plain(key.key, value)));
            expected.insert(key.key, (serde_json::from_str(value).unwrap(), format!("${variable}")));
        }
        if let (Else::Flag(flag) | Else::Variable(flag, _), Some(value)) = (key.also, flags.get(key.key)) {
            arguments.push([flag.to_owned(), plain(key.key, value)]);
            expected.insert(key.key, (serde_json::from_str(value).unwrap(), flag.to_owned()));
        }
    }
    rng.shuffle(&mut arguments);
    let of_systemd = rng.bool();
    if of_systemd {
        environment.push(("RUNTIME_DIRECTORY", "/run/of-systemd:/run/other".to_owned()));
        let usual = (json!("/run/of-systemd"), "$RUNTIME_DIRECTORY".to_owned());
        expected.entry("daemon.run_dir").or_insert(usual);
    }
    let config = program.config(|command| {
        command
            .args(arguments.iter().flatten())
            .envs(environment.iter().map(|(name, value)| (name, value)));
    });
    for Entry { key, value, origin } in &config {
        match expected.remove(key.as_str()) {
            Some(wanted) => assert_eq!(
                (value.clone(), origin.clone()),
                wanted,
                "seed {seed}: {key}: {written:#?}"
            ),
            None => assert_eq!(origin, "default", "seed {seed}: {key}: {written:#?}"),
        }
    }
    assert!(expected.is_empty(), "seed {seed}: {expected:?}");
}

#[test]
fn what_counts_depends_on_nothing_but_the_stated_order() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seed, cases) = (
        number("CXI_RANDOM_SEED", fastrand::u64(..)),
        number("CXI_RANDOM_CONFIGURATIONS", 1000),
    );
    say(&format!("{cases} configurations: CXI_RANDOM_SEED={seed}"));
    for case in 0..cases {
        one_case(seed.wrapping_add(case));
    }
}

#[test]
fn every_key_is_in_the_random_runs_or_has_a_reason_not_to_be() {
    let apart = |key: &str| {
        let condition = key.strip_prefix("health.").unwrap_or_default();
        let is_condition = Check::OF_NIC.iter().any(|check| check.name() == condition);
        // Conditions are alike; the others have tests of their own.
        is_condition
            || [
                "libraries.closure_all",
                "cxi_service.default_service", // is one with health.cxi-service
                "container.presets",           // sets others
                "resource[0].name",
                "resource[0].select.function",
                "health.hold_up",
                "log.target",
            ]
            .contains(&key)
    };
    for Entry { key, .. } in Program::new("").config(|_| ()) {
        assert!(KEYS.iter().any(|known| known.key == key) || apart(&key), "{key}");
    }
}

#[test]
fn flags_of_another_form_set_their_keys() {
    let program = Program::new("[[resource]]\nname = \"a.b/c\"\n[container.env]\nA = \"file\"\nB = \"file\"\n");
    program.write("env.yaml", "env:\n- A=flag\n- Z=1\n- B2=x\n");
    let env_vars = program.path("env.yaml");
    let config = program.config(|command| {
        command.args([
            "--resource-name",
            "x.y/z",
            "--enable-cdi=/tmp/hpe.com-cxi.yaml",
            "--cdi-dir",
            "/etc",
        ]);
        command
            .args(["--libraries", "closure", "--closure-all", "--env-vars"])
            .arg(&env_vars);
    });
    let of = |key: &str| {
        let entry = config.iter().find(|entry| entry.key == key).unwrap();
        (entry.value.clone(), entry.origin.as_str())
    };
    assert_eq!(of("resource[0].name"), (json!("x.y/z"), "--resource-name"));
    assert_eq!(of("allocation.strategy"), (json!("cdi"), "--enable-cdi"));
    assert_eq!(of("cdi.dir"), (json!("/tmp"), "--enable-cdi"));
    assert_eq!(of("libraries.closure_all"), (json!(true), "--closure-all"));
    let variables: Vec<_> = config
        .iter()
        .filter(|entry| entry.key.starts_with("container.env."))
        .collect();
    let variables: Vec<_> = variables
        .iter()
        .map(|entry| (entry.key.as_str(), entry.origin.as_str()))
        .collect();
    let env = ("container.env.A", "--env-vars");
    assert_eq!(
        variables,
        [
            env,
            ("container.env.B", "config.toml:5"),
            ("container.env.Z", "--env-vars"),
            ("container.env.B2", "--env-vars")
        ]
    );
}

#[test]
fn an_empty_root_variable_counts_as_not_set() {
    let program = Program::new("[roots]\nofi = \"/usr\"\n");
    let config = program.config(|command| {
        command.env("OFI_ROOT", "");
    });
    let ofi = config.iter().find(|entry| entry.key == "roots.ofi").unwrap();
    assert_eq!(
        (ofi.value.clone(), ofi.origin.as_str()),
        (json!("/usr"), "config.toml:2")
    );
}

#[test]
fn the_defaults_are_those_of_the_parts_and_of_the_help() {
    let config = Program::new("").config(|_| ());
    let policy = HealthPolicy::default();
    for check in Check::OF_NIC {
        let key = format!("health.{check}");
        let entry = config.iter().find(|entry| entry.key == key).unwrap();
        assert_eq!(entry.value, json!(policy.action(check).name()), "{key}");
    }
    // The help tells defaults of its own; given as flags, they change nothing.
    let help = cxi_device_plugin::cli::plugin::command();
    let run = help
        .get_subcommands()
        .find(|command| command.get_name() == "run")
        .unwrap();
    let mut flags = Vec::new();
    for argument in run.get_arguments() {
        if let (Some(long), [default]) = (argument.get_long(), argument.get_default_values())
            && argument.get_action().takes_values()
        {
            flags.push(format!("--{long}={}", default.to_str().unwrap()));
        }
    }
    assert!(flags.len() >= 6, "{flags:?}");
    let with_flags = Program::new("").config(|command| {
        command.args(&flags);
    });
    let values = |config: &[Entry]| -> Vec<(String, Value)> {
        config
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect()
    };
    assert_eq!(values(&with_flags), values(&config));
}
