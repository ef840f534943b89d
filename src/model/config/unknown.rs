//! What to say of a key that nobody knows: what was probably meant.

use super::keys;
use super::problem::{Origin, Problem};

/// Tables and keys of the design that this version does nothing with. Accepted in silence, they would promise something.
const NOT_YET: &[&str] = &[
    "cdi.kind",
    "container.mounts",
    "resource.replicas",
    "resource.select.generation",
    "resource.select.pci",
    "resource.select.netdev",
    "resource.select.numa",
    "resource.select.min_speed_gbps",
];

/// How many letters may be wrong in a key that is still taken for another one.
const TYPOS: usize = 2;

/// A longer key is nobody's typing error.
const LONGEST: usize = 64;

/// What is wrong with unknown keys.
pub fn problems(unknown: Vec<(String, Origin)>) -> impl Iterator<Item = Problem> {
    // Once for all of them: a file may be full of such keys.
    let names = if unknown.is_empty() { Vec::new() } else { names() };
    unknown.into_iter().map(move |(key, origin)| Problem {
        origin,
        reason: reason(&key, &names),
        key: Some(key),
    })
}

fn reason(key: &str, names: &[String]) -> String {
    let plain = without_numbers(key);
    let is_part_of = |table: &&str| plain == **table || plain.starts_with(&format!("{table}."));
    if NOT_YET.iter().any(is_part_of) {
        return "this version of cxi-device-plugin does nothing with it yet: leave it out".to_owned();
    }
    let leaf = last(&plain);
    let elsewhere = names.iter().find(|name| **name != plain && last(name) == leaf);
    match (near(&plain, names), elsewhere) {
        (Some(name), _) => format!("unknown key; did you mean {}?", last(name)),
        (None, Some(name)) => match name.rsplit_once('.') {
            Some((table, leaf)) => format!("unknown key here; {leaf} belongs under [{table}]"),
            None => format!("unknown key here; {name} belongs at the top, before the first [table]"),
        },
        (None, None) => {
            let known: Vec<&str> = in_same_table(&plain, names)
                .into_iter()
                .map(|name| last(name))
                .collect();
            format!("unknown key; there are {}", known.join(", "))
        }
    }
}

/// All names of keys and of tables.
fn names() -> Vec<String> {
    let mut names = vec!["container.env".to_owned(), "numa".to_owned()];
    for effective in keys::defaults() {
        let key = without_numbers(&effective.key);
        if let Some((table, _)) = key.rsplit_once('.') {
            names.push(table.to_owned());
        }
        names.push(key);
    }
    names.sort();
    names.dedup();
    names
}

/// The name in the same table that differs in the fewest letters.
fn near<'a>(key: &str, names: &'a [String]) -> Option<&'a String> {
    let distance = |name: &&String| strsim::damerau_levenshtein(last(key), last(name));
    if last(key).len() > LONGEST {
        return None;
    }
    let near = in_same_table(key, names).into_iter().min_by_key(distance)?;
    (distance(&near) <= TYPOS.min(last(key).len() / 2)).then_some(near)
}

/// The names in the same table.
fn in_same_table<'a>(key: &str, names: &'a [String]) -> Vec<&'a String> {
    fn table(key: &str) -> Option<&str> {
        key.rsplit_once('.').map(|(table, _)| table)
    }
    let table_of_key = table(key);
    names.iter().filter(|name| table(name) == table_of_key).collect()
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// `resource[0].name` is `resource.name` to everybody.
fn without_numbers(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    let mut rest = key;
    while let Some((before, behind)) = rest.split_once('[') {
        let Some((_, after)) = behind.split_once(']') else {
            break;
        };
        plain.push_str(before);
        rest = after;
    }
    plain.push_str(rest);
    plain
}
