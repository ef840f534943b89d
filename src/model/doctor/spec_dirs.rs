//! The directories in which each runtime looks for CDI specs, by its configuration.

use std::path::PathBuf;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::containerd;
use super::facts::Runtime;
use crate::model::runtime::places::RuntimeKind;

/// Where a runtime looks for specs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecDirs {
    /// By rising priority.
    pub dirs: Vec<PathBuf>,
    /// The file that says so last; none where none says anything.
    pub said_in: Option<PathBuf>,
}

/// By the files that are there, else by default.
pub fn of(runtime: &Runtime) -> SpecDirs {
    let mut said = SpecDirs {
        dirs: usual(runtime.kind),
        said_in: None,
    };
    let mut is_default = true;
    for file in &runtime.configuration {
        let Some(entry) = file.known().and_then(|text| read(runtime.kind, text)) else {
            continue;
        };
        let kept = if entry.is_appended && !is_default {
            said.dirs
        } else {
            Vec::new()
        };
        let default = if entry.is_appended && is_default {
            usual(runtime.kind)
        } else {
            Vec::new()
        };
        said = SpecDirs {
            dirs: [default, kept, entry.dirs].concat(),
            said_in: Some(file.path.clone()),
        };
        is_default = false;
    }
    said
}

/// Podman 5.5 reads what admins write and nothing else; the others read both directories.
fn usual(kind: RuntimeKind) -> Vec<PathBuf> {
    let dirs: &[&str] = match kind {
        RuntimeKind::Podman => &["/etc/cdi"],
        RuntimeKind::Containerd | RuntimeKind::Crio | RuntimeKind::Docker => &["/etc/cdi", "/var/run/cdi"],
    };
    dirs.iter().map(PathBuf::from).collect()
}

/// What one file says.
struct Said {
    dirs: Vec<PathBuf>,
    /// Whether that comes behind what was said before (`{ append = true }` of containers.conf).
    is_appended: bool,
}

fn read(kind: RuntimeKind, text: &str) -> Option<Said> {
    let replacing = |dirs: Vec<PathBuf>| Said {
        dirs,
        is_appended: false,
    };
    match kind {
        RuntimeKind::Containerd => containerd::read(text).ok()?.cdi_spec_dirs.map(replacing),
        RuntimeKind::Crio => of_toml(text, &["crio", "runtime"]).map(|said| replacing(said.dirs)),
        RuntimeKind::Podman => of_toml(text, &["engine"]),
        RuntimeKind::Docker => {
            let settings: Json = serde_json::from_str(text).ok()?;
            let dirs = settings.get("cdi-spec-dirs")?.as_array()?;
            Some(replacing(
                dirs.iter().filter_map(Json::as_str).map(PathBuf::from).collect(),
            ))
        }
    }
}

fn of_toml(text: &str, tables: &[&str]) -> Option<Said> {
    let top: Table = text.parse().ok()?;
    let mut table = &top;
    for name in tables {
        table = table.get(*name)?.as_table()?;
    }
    let values = table.get("cdi_spec_dirs")?.as_array()?;
    let is_append = |value: &Value| value.get("append").and_then(Value::as_bool) == Some(true);
    Some(Said {
        dirs: values.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
        is_appended: values.iter().any(is_append),
    })
}
