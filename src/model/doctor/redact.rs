//! Texts for others to read: what a node's files may hold of secrets is taken out before they leave it.

use serde_json::{Map, Value, json};
use toml::Table;

use super::{containerd, network};

/// Stands for what is left out.
const LEFT_OUT: &str = "(left out)";
/// Keys of a CDI spec whose values are the site's own: environment, and arguments of hooks.
const PRIVATE: [&str; 2] = ["env", "args"];
/// Nested deeper than any spec.
const DEPTH: usize = 32;

/// A CDI spec with the values of its environment left out; what cannot be read as a spec is left out as a whole.
pub fn spec(text: &str) -> String {
    match serde_saphyr::from_str::<Value>(text) {
        // Still a file that readers drop.
        Err(_) => format!("{LEFT_OUT}: not a spec\n"),
        Ok(mut value) => {
            hide(&mut value, DEPTH);
            format!("{value:#}\n")
        }
    }
}

fn hide(value: &mut Value, depth: usize) {
    if depth == 0 {
        *value = LEFT_OUT.into();
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if PRIVATE.contains(&key.as_str()) {
                    hide_values(member);
                } else {
                    hide(member, depth - 1);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, depth - 1)),
        _ => {}
    }
}

/// `KEY=VALUE` becomes `KEY=(left out)`.
fn hide_values(value: &mut Value) {
    let Value::Array(values) = value else {
        *value = LEFT_OUT.into();
        return;
    };
    for value in values {
        let key = value.as_str().and_then(|text| text.split_once('='));
        *value = key
            .map_or(LEFT_OUT.to_owned(), |(key, _)| format!("{key}={LEFT_OUT}"))
            .into();
    }
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
    let ulimits = || table.get("crio")?.get("runtime")?.get("default_ulimits").cloned();
    let runtime = Table::from_iter(ulimits().map(|ulimits| ("default_ulimits".to_owned(), ulimits)));
    let crio = Table::from_iter([("runtime".to_owned(), runtime.into())]);
    Table::from_iter([("crio".to_owned(), crio.into())]).to_string()
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
    }

    #[test]
    fn only_what_matters_is_left_of_other_configurations() {
        let toml = "version = 2\nx = 'hunter2'\n[plugins.'io.containerd.grpc.v1.cri']\nenable_cdi = true\npassword = 'hunter2'\n";
        assert!(!containerd(toml).contains(SECRET) && containerd(toml).contains("enable_cdi"));
        assert!(!crio("x = 'hunter2'\n[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']").contains(SECRET));
        assert!(crio("[crio.runtime]\ndefault_ulimits = ['memlock=-1:-1']").contains("memlock=-1:-1"));
        let ours = configuration("[container]\nenv = { A = 'hunter2' }\n[cdi]\ndir = '/x'\n");
        assert!(!ours.contains(SECRET) && ours.contains("/x"), "{ours}");
        assert!(!docker(r#"{"proxies": {"x": "hunter2"}, "features": {"cdi": true}}"#).contains(SECRET));
        assert!(!cni(r#"{"type": "multus", "kubeconfig": "hunter2"}"#).contains(SECRET));
        assert!(!unit("[Service]\nEnvironment=A=hunter2\nLimitMEMLOCK=1\n").contains(SECRET));
        for broken in ["= hunter2", "{ hunter2"] {
            for reduce in [containerd, crio, docker, cni, configuration, unit] {
                assert!(!reduce(broken).contains(SECRET));
            }
        }
    }
}
