//! What comes of all fragments: each value once, with its origin; and the reading of them by key, which notes what is
//! wrong, what nobody knows, and what came out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fragment::{ConfigEntry, Content, Fragment, Table, ValueNode};
use super::problem::{Origin, Problem};
use super::value::{Fault, Faults, Value};

/// A value that is in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Such as `cdi.dir`.
    pub key: String,
    /// As it would be written.
    pub value: Content,
    /// Where it comes from.
    pub origin: Origin,
}

/// The tables of ours whose keys may have any name, so dots, too.
const OF_ANY_KEYS: [&str; 3] = ["container.env", "isolation.vnis", "numa"];

impl Effective {
    /// The table that the key is in; empty for one at the top.
    pub fn table(&self) -> &str {
        let is_in = |table: &&str| self.key.strip_prefix(*table).is_some_and(|rest| rest.starts_with('.'));
        if let Some(table) = OF_ANY_KEYS.into_iter().find(is_in) {
            return table;
        }
        self.key.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// The key within its table.
    pub fn name(&self) -> &str {
        let rest = self.key.strip_prefix(self.table()).unwrap_or(&self.key);
        rest.strip_prefix('.').unwrap_or(rest)
    }
}

/// Lays fragments over each other: of each key the last one counts, a list as a whole.
pub fn merged(fragments: impl IntoIterator<Item = Fragment>) -> Table {
    let mut all = Table::new();
    for fragment in fragments {
        overlay(&mut all, fragment.table);
    }
    all
}

/// No table has a key twice.
fn overlay(lower: &mut Table, upper: Table) {
    let places = lower.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at));
    let places: BTreeMap<String, usize> = places.collect();
    for entry in upper {
        let place = places.get(&entry.key);
        match place.and_then(|at| lower.get_mut(*at)) {
            None => lower.push(entry),
            Some(below) => match (&mut below.value.content, entry.value.content) {
                (Content::Table(below), Content::Table(above)) => overlay(below, above),
                (_, content) => {
                    below.origin = entry.origin;
                    below.value = ValueNode {
                        origin: entry.value.origin,
                        content,
                    };
                }
            },
        }
    }
}

/// What was found while keys were read.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is in effect, in the order of reading.
    pub effective: Vec<Effective>,
    /// Keys that nobody asked for.
    pub unknown: Vec<(String, Origin)>,
}

/// Reads one table by its keys.
#[derive(Debug)]
pub struct Reader<'a> {
    entries: &'a [ConfigEntry],
    path: String,
    known: Vec<&'static str>,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    /// Of the top level.
    pub fn new(table: &'a Table, findings: &'a mut Findings) -> Self {
        Self {
            entries: table,
            path: String::new(),
            known: Vec::new(),
            findings,
        }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a ConfigEntry> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key, or its default where it is not set or wrong.
    pub fn get<T: Value>(&mut self, key: &'static str, default: T) -> T {
        let read = self.take(key).map(|entry| (T::read(&entry.value), &entry.value.origin));
        let (value, origin) = match read {
            Some((Ok(value), origin)) => (value, origin.clone()),
            Some((Err(faults), _)) => {
                self.problems(key, faults);
                (default, Origin::Default)
            }
            None => (default, Origin::Default),
        };
        self.effective(key, value.show(), origin);
        value
    }

    fn effective(&mut self, key: &str, value: Content, origin: Origin) {
        let key = self.full(key);
        self.findings.effective.push(Effective { key, value, origin });
    }

    fn problems(&mut self, key: &str, faults: Faults) {
        for fault in faults {
            self.problem(key, fault.origin, fault.reason);
        }
    }

    fn problem(&mut self, key: &str, origin: Origin, reason: String) {
        let key = Some(self.full(key));
        self.findings.problems.push(Problem { origin, key, reason });
    }

    /// A table, by its keys; all that is left over in it is unknown.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let table = match self.take(key) {
            Some(entry) => self.inner(key, &entry.value),
            None => &[],
        };
        self.read_inner(key, table, read)
    }

    /// The one table of a list of tables, or its defaults.
    pub fn only_table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let table: &[ConfigEntry] = match self.take(key).map(|entry| &entry.value) {
            None => &[],
            Some(node) => match &node.content {
                Content::List(nodes) if nodes.len() == 1 => nodes.first().map_or(&[], |node| self.inner(key, node)),
                Content::List(nodes) if nodes.len() > 1 => {
                    let second = nodes.get(1).unwrap_or(node);
                    let reason = format!("this version serves one {key} only: leave one [[{key}]]");
                    self.problem(key, second.origin.clone(), reason);
                    &[]
                }
                _ => {
                    let reason = format!("write [[{key}]], in two brackets, and under it its keys");
                    self.problem(key, node.origin.clone(), reason);
                    &[]
                }
            },
        };
        self.read_inner(&format!("{key}[0]"), table, read)
    }

    /// A table of any keys with texts, each made something of.
    pub fn entries<T>(&mut self, key: &'static str, make: impl Fn(&str, &str) -> Result<T, String>) -> Vec<T> {
        self.any_keys(key, |key, text: &String| make(key, text))
    }

    /// The same with whole numbers.
    pub fn numbers<T>(&mut self, key: &'static str, make: impl Fn(&str, i64) -> Result<T, String>) -> Vec<T> {
        self.any_keys(key, |key, number| make(key, *number))
    }

    fn any_keys<V: Value, T>(&mut self, key: &'static str, make: impl Fn(&str, &V) -> Result<T, String>) -> Vec<T> {
        let entries = match self.take(key) {
            Some(entry) => self.inner(key, &entry.value),
            None => &[],
        };
        let mut made = Vec::new();
        for entry in entries {
            let (key, origin) = (format!("{key}.{}", entry.key), entry.value.origin.clone());
            let read = V::read(&entry.value).and_then(|written| match make(&entry.key, &written) {
                Ok(value) => Ok((written, value)),
                Err(reason) => Err(Fault::at(&entry.value, reason)),
            });
            match read {
                Ok((written, value)) => {
                    made.push(value);
                    self.effective(&key, written.show(), origin);
                }
                Err(faults) => self.problems(&key, faults),
            }
        }
        made
    }

    fn inner(&mut self, key: &str, node: &'a ValueNode) -> &'a [ConfigEntry] {
        if let Content::Table(table) = &node.content {
            return table;
        }
        let name = self.full(key);
        let reason = format!("must be a table: write [{name}] and under it its keys");
        self.problem(key, node.origin.clone(), reason);
        &[]
    }

    fn read_inner<T>(&mut self, key: &str, entries: &[ConfigEntry], read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let path = format!("{}.", self.full(key));
        let mut reader = Reader {
            entries,
            path,
            known: Vec::new(),
            findings: self.findings,
        };
        let value = read(&mut reader);
        reader.note_unknown();
        value
    }

    /// Once all keys were asked for: what is left over.
    pub fn note_unknown(&mut self) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                let key = self.full(&entry.key);
                self.findings.unknown.push((key, entry.origin.clone()));
            }
        }
    }
}
