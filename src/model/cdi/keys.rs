//! The keys of a CDI spec, as the readers in Go take them: without regard to case (`encoding/json`, behind
//! `sigs.k8s.io/yaml`). Of several spellings of one key the last in the order of bytes counts, as that library sorts them.

use serde_json::{Map, Value};

/// What a key of a spec holds.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A text of the specification: a name, a path, a version. Nothing of it is private.
    Text,
    /// A number or a switch.
    Number,
    /// What a site may have put there, such as an option of a mount.
    Private,
    /// `KEY=VALUE`, the values of which are private.
    Variables,
    /// A list of these.
    List(&'static Shape),
    /// With keys of its own.
    Object(Keys),
}

/// The keys of an object.
pub type Keys = &'static [(&'static str, Shape)];

/// A whole spec.
pub const SPEC: Shape = Shape::Object(&[
    ("cdiVersion", Shape::Text),
    ("kind", Shape::Text),
    ("annotations", Shape::Private),
    ("devices", Shape::List(&DEVICE)),
    ("containerEdits", EDITS),
]);
const DEVICE: Shape = Shape::Object(&[
    ("name", Shape::Text),
    ("annotations", Shape::Private),
    ("containerEdits", EDITS),
]);
const EDITS: Shape = Shape::Object(&[
    ("env", Shape::Variables),
    ("deviceNodes", Shape::List(&NODE)),
    ("netDevices", Shape::List(&NET_DEVICE)),
    ("mounts", Shape::List(&MOUNT)),
    ("hooks", Shape::List(&HOOK)),
    ("additionalGids", Shape::List(&Shape::Number)),
    ("intelRdt", INTEL_RDT),
]);
const NODE: Shape = Shape::Object(&[
    ("path", Shape::Text),
    ("hostPath", Shape::Text),
    ("type", Shape::Text),
    ("permissions", Shape::Text),
    ("major", Shape::Number),
    ("minor", Shape::Number),
    ("fileMode", Shape::Number),
    ("uid", Shape::Number),
    ("gid", Shape::Number),
]);
const NET_DEVICE: Shape = Shape::Object(&[("hostInterfaceName", Shape::Text), ("name", Shape::Text)]);
const MOUNT: Shape = Shape::Object(&[
    ("hostPath", Shape::Text),
    ("containerPath", Shape::Text),
    ("type", Shape::Text),
    ("options", Shape::Private),
]);
const HOOK: Shape = Shape::Object(&[
    ("hookName", Shape::Text),
    ("path", Shape::Text),
    ("args", Shape::Private),
    ("env", Shape::Variables),
    ("timeout", Shape::Number),
]);
const INTEL_RDT: Shape = Shape::Object(&[
    ("closID", Shape::Private),
    ("l3CacheSchema", Shape::Private),
    ("memBwSchema", Shape::Private),
    ("schemata", Shape::Private),
    ("enableCMT", Shape::Number),
    ("enableMBM", Shape::Number),
    ("enableMonitoring", Shape::Number),
]);

/// The key that a reader takes this one for, with what it holds.
pub fn find(keys: Keys, key: &str) -> Option<&'static (&'static str, Shape)> {
    let folded = fold(key);
    keys.iter().find(|(known, _)| fold(known) == folded)
}

/// As Go folds names of fields: two letters beyond ASCII are taken for ASCII ones.
fn fold(key: &str) -> String {
    let letter = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(letter).collect()
}

/// The same with every key as the specification spells it, and texts as texts. Keys that the specification does not have are
/// left out; returns as well in which object the first one was.
pub fn canonical(value: Value) -> (Value, Option<&'static str>) {
    let mut unknown = None;
    let value = spelled(value, SPEC, "the spec", &mut unknown);
    (value, unknown)
}

fn spelled(value: Value, shape: Shape, place: &'static str, unknown: &mut Option<&'static str>) -> Value {
    match (shape, value) {
        (Shape::Object(keys), Value::Object(members)) => {
            let mut known = Map::new();
            // In the order of bytes: a later spelling takes the place of an earlier one.
            for (key, member) in members {
                match find(keys, &key) {
                    Some((name, shape)) => {
                        known.insert((*name).to_owned(), spelled(member, *shape, name, unknown));
                    }
                    None => {
                        unknown.get_or_insert(place);
                    }
                }
            }
            Value::Object(known)
        }
        (Shape::List(shape), Value::Array(values)) => {
            let values = values.into_iter().map(|value| spelled(value, *shape, place, unknown));
            Value::Array(values.collect())
        }
        // YAML takes a name such as 0 for a number; its reader in Go wants a text there and makes one.
        (Shape::Text, Value::Number(number)) => Value::String(number.to_string()),
        (Shape::Text, Value::Bool(switch)) => Value::String(switch.to_string()),
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_taken_without_regard_to_case() {
        let text = json!({"KIND": "a.b/c", "\u{212a}ind": "x.y/z", "DEVICES": [{"Name": 0, "containeredits": {"ENV": ["A=B"]}}]});
        let (value, unknown) = canonical(text);
        assert_eq!(unknown, None);
        let devices = json!([{"name": "0", "containerEdits": {"env": ["A=B"]}}]);
        assert_eq!(value, json!({"kind": "x.y/z", "devices": devices}));
    }

    #[test]
    fn the_last_spelling_counts() {
        let (value, _) = canonical(json!({"Kind": "first/x", "kind": "last/x"}));
        assert_eq!(value, json!({"kind": "last/x"}));
    }

    #[test]
    fn an_unknown_key_is_told_wherever_it_is() {
        for (place, text) in [
            ("the spec", json!({"kinds": 1})),
            (
                "mounts",
                json!({"devices": [{"containerEdits": {"mounts": [{"kinds": 1}]}}]}),
            ),
            ("hooks", json!({"containerEdits": {"hooks": [{"kinds": 1}]}})),
        ] {
            assert_eq!(canonical(text).1, Some(place));
        }
        assert_eq!(canonical(json!({"annotations": {"kinds": "x"}})).1, None);
    }
}
