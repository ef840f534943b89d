//! Texts for others to read: what a node's files may hold of secrets is taken out before they leave it.

use serde_json::{Map, Value, json};
use toml::Table;

use super::{containerd, network};
use crate::model::cdi::keys::{self, SPEC, Shape};

/// Stands for what is left out.
const LEFT_OUT: &str = "(left out)";

/// A CDI spec with what the specification has and no site keeps private there: by what may stay, not by what must go. What cannot be read as a spec is left out as a whole.
pub fn spec(text: &str) -> String {
    match serde_saphyr::from_str::<Value>(text) {
        // Still a file that readers drop.
        Err(_) => format!("{LEFT_OUT}: not a spec\n"),
        Ok(value) => format!("{:#}\n", public(value, SPEC)),
    }
}

/// What may leave the node of a value. Keys keep their spelling, by which readers take or refuse a file.
fn public(value: Value, shape: Shape) -> Value {
    match (shape, value) {
        (Shape::Object(known), Value::Object(members)) => {
            let kept = |(key, member): (String, Value)| match keys::find(known, &key) {
                Some((_, shape)) => (key, public(member, *shape)),
                // Still one that readers do not know.
                None => (LEFT_OUT.to_owned(), LEFT_OUT.into()),
            };
            Value::Object(members.into_iter().map(kept).collect())
        }
        (Shape::List(shape), Value::Array(values)) => {
            Value::Array(values.into_iter().map(|value| public(value, *shape)).collect())
        }
        (Shape::Variables, Value::Array(values)) => Value::Array(values.iter().map(variable).collect()),
        (Shape::Private, Value::Array(values)) => Value::Array(vec![LEFT_OUT.into(); values.len()]),
        (Shape::Private, Value::Object(_)) => json!({ LEFT_OUT: LEFT_OUT }),
        (Shape::Text, value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => value,
        (Shape::Number, value @ (Value::Number(_) | Value::Bool(_))) => value,
        (_, Value::Null) => Value::Null,
        // Not what the specification has there.
        (_, _) => LEFT_OUT.into(),
    }
}

/// `KEY=VALUE` becomes `KEY=(left out)`.
fn variable(value: &Value) -> Value {
    let key = value.as_str().and_then(|text| text.split_once('='));
    let text = key.map_or(LEFT_OUT.to_owned(), |(key, _)| format!("{key}={LEFT_OUT}"));
    text.into()
}

/// Our own configuration, without the values of the environment that containers get.
pub fn configuration(text: &str) -> String {
    let Ok(mut table) = text.parse::<Table>() else {
        return format!("# {LEFT_OUT}: not TOML\n");
    };
    let env = table
        .get_mut("container")
        .and_then(|container| container.get_mut("env"));
    match env {
        Some(toml::Value::Table(env)) => env.iter_mut().for_each(|(_, value)| *value = LEFT_OUT.into()),
        Some(other) => *other = LEFT_OUT.into(),
        None => {}
    }
    table.to_string()
}

/// What matters here of containerd's configuration, which may hold passwords of registries.
pub fn containerd(text: &str) -> String {
    containerd::read(text).map_or_else(|_| format!("{LEFT_OUT}: not TOML\n"), |settings| settings.to_toml())
}

/// The same of CRI-O's.
pub fn crio(text: &str) -> String {
    let Ok(table) = text.parse::<Table>() else {
        return format!("{LEFT_OUT}: not TOML\n");
    };
    let runtime = table.get("crio").and_then(|crio| crio.get("runtime"));
    let kept = ["default_ulimits", "cdi_spec_dirs"].into_iter().filter_map(|key| {
        let value = runtime?.get(key)?.clone();
        Some((key.to_owned(), value))
    });
    let crio = Table::from_iter([("runtime".to_owned(), Table::from_iter(kept).into())]);
    Table::from_iter([("crio".to_owned(), crio.into())]).to_string()
}

/// The same of Podman's.
pub fn podman(text: &str) -> String {
    let Ok(table) = text.parse::<Table>() else {
        return format!("{LEFT_OUT}: not TOML\n");
    };
    let dirs = table
        .get("engine")
        .and_then(|engine| engine.get("cdi_spec_dirs"))
        .cloned();
    let engine = Table::from_iter(dirs.map(|dirs| ("cdi_spec_dirs".to_owned(), dirs)));
    Table::from_iter([("engine".to_owned(), engine.into())]).to_string()
}

/// The same of Docker's.
pub fn docker(text: &str) -> String {
    let Ok(settings) = serde_json::from_str::<Value>(text) else {
        return format!("{LEFT_OUT}: not JSON\n");
    };
    let mut kept = Map::new();
    if let Some(cdi) = settings.pointer("/features/cdi") {
        kept.insert("features".to_owned(), json!({ "cdi": cdi }));
    }
    if let Some(memlock) = settings.pointer("/default-ulimits/memlock") {
        kept.insert("default-ulimits".to_owned(), json!({ "memlock": memlock }));
    }
    if let Some(dirs) = settings.get("cdi-spec-dirs") {
        kept.insert("cdi-spec-dirs".to_owned(), dirs.clone());
    }
    format!("{:#}\n", Value::Object(kept))
}

/// The types of the plugins in a CNI configuration.
pub fn cni(text: &str) -> String {
    match network::types(text) {
        Err(_) => format!("{LEFT_OUT}: not JSON\n"),
        Ok(types) => {
            let plugins: Vec<Value> = types.into_iter().map(|kind| json!({ "type": kind })).collect();
            format!("{:#}\n", json!({ "plugins": plugins }))
        }
    }
}

/// The settings of a unit that matter here.
pub fn unit(text: &str) -> String {
    let kept = |line: &&str| line.starts_with('[') || line.trim_start().starts_with("LimitMEMLOCK=");
    text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

/// The lines of a process's status by which it is known to be the system's.
pub fn process_status(text: &str) -> String {
    let kept = |line: &&str| ["Uid:", "NSpid:"].iter().any(|key| line.starts_with(key));
    text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

/// The lines of a table of the kernel that name one of these netdevs; with the heading, where there is one.
pub fn keep_netdevs(text: &str, netdevs: &[&str]) -> String {
    let names = |line: &&str| {
        let mut words = line.split_whitespace();
        words.any(|word| word == "Iface" || netdevs.contains(&word))
    };
    text.lines().filter(names).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2";

    #[test]
    fn no_value_of_an_environment_is_left() {
        let text = "cdiVersion: 0.5.0\nkind: hpe.com/cxi\ncontainerEdits: {env: [TOKEN=hunter2, hunter2], hooks: [{hookName: \
                    prestart, path: /x, args: [--password, hunter2], env: [A=hunter2]}]}\ndevices: [{name: x, containerEdits: \
                    {env: {a: hunter2}}}]\n";
        let said = spec(text);
        assert!(!said.contains(SECRET), "{said}");
        assert!(
            said.contains("TOKEN=(left out)") && said.contains("hpe.com/cxi"),
            "{said}"
        );
        assert!(!spec("a: [hunter2").contains(SECRET));
        for text in [
            "Kind: a.b/c\nDevices: [{Name: x, containeredits: {Env: [A=hunter2], Hooks: [{Args: [hunter2], ENV: [B=hunter2]}]}}]",
            "annotations: {a: hunter2}\nhunter2: 1\ncontainerEdits: {mounts: [{options: [password=hunter2], x: hunter2}]}",
            "kind: {a: hunter2}\ndevices: hunter2\ncontainerEdits: {env: hunter2, intelRdt: {closID: hunter2}}",
            "[hunter2]",
            "hunter2",
        ] {
            assert!(!spec(text).contains(SECRET), "{}", spec(text));
        }
    }

    #[test]
    fn only_what_matters_is_left_of_other_configurations() {
        let toml = "version = 2\nx = 'hunter2'\n[plugins.'io.containerd.grpc.v1.cri']\nenable_cdi = true\npassword = 'hunter2'\n";
        assert!(!containerd(toml).contains(SECRET) && containerd(toml).contains("enable_cdi"));
        assert!(!crio("x = 'hunter2'\n[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']").contains(SECRET));
        assert!(crio("[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']").contains("memlock=-1:-1"));
        assert!(!podman("x = 'hunter2'\n[engine]\nenv = ['A=hunter2']\ncdi_spec_dirs = ['/y']").contains(SECRET));
        assert!(podman("[engine]\ncdi_spec_dirs = ['/y', {append = true}]").contains("append"));
        let ours = configuration("[container]\nenv = { A = 'hunter2' }\n[cdi]\ndir = '/x'\n");
        assert!(!ours.contains(SECRET) && ours.contains("/x"), "{ours}");
        assert!(!docker(r#"{"proxies": {"x": "hunter2"}, "features": {"cdi": true}}"#).contains(SECRET));
        assert!(!cni(r#"{"type": "multus", "kubeconfig": "hunter2"}"#).contains(SECRET));
        assert!(!unit("[Service]\nEnvironment=A=hunter2\nLimitMEMLOCK=1\n").contains(SECRET));
        for broken in ["= hunter2", "{ hunter2"] {
            for reduce in [containerd, crio, docker, podman, cni, configuration, unit] {
                assert!(!reduce(broken).contains(SECRET));
            }
        }
    }
}
