//! The container runtimes that are on the node, with their configurations.

use std::path::Path;

use super::configurations::matching_files;
use super::processes::Processes;
use super::text_files::text_file;
use super::units;
use crate::host::files::roots::Roots;
use crate::model::doctor::containerd;
use crate::model::doctor::facts::{Runtime, TextFile};
use crate::model::runtime::places::{RuntimeKind, SIGNS, Sign};

/// Those that are there, each kind once.
pub fn all(roots: &Roots, processes: &Processes) -> Vec<Runtime> {
    let mut found: Vec<Runtime> = Vec::new();
    for sign in &SIGNS {
        let is_known = found.iter().any(|runtime| runtime.kind == sign.kind);
        if !is_known && let Some(runtime) = runtime(roots, processes, sign) {
            found.push(runtime);
        }
    }
    found
}

fn runtime(roots: &Roots, processes: &Processes, sign: &Sign) -> Option<Runtime> {
    let socket = Path::new(sign.socket);
    let configuration = Path::new(sign.configuration);
    let is_there = |path: &Path| roots.resolve(path).is_ok();
    let by_socket = is_there(socket) && (!sign.is_shared || is_there(configuration));
    let process = match (sign.process, sign.kind) {
        ("", RuntimeKind::Containerd) => processes.first("containerd"),
        ("", _) => None,
        (name, _) => processes.first(name),
    };
    let seen = match &process {
        _ if by_socket => socket.to_owned(),
        Some(process) if !sign.process.is_empty() => process.path.clone(),
        _ => return None,
    };
    Some(Runtime {
        kind: sign.kind,
        seen,
        configuration: configuration_of(roots, sign.kind, configuration),
        limits: process.map(|process| text_file(roots, process.path.join("limits"))),
        unit: units::with_dropins(roots, &format!("{}.service", sign.kind.name())),
    })
}

fn configuration_of(roots: &Roots, kind: RuntimeKind, path: &Path) -> Vec<TextFile> {
    let main = text_file(roots, path);
    let further = match kind {
        RuntimeKind::Containerd => imported(roots, &main),
        RuntimeKind::Crio => dropins(roots, "/etc/crio/crio.conf.d", ""),
        RuntimeKind::Docker => Vec::new(),
        RuntimeKind::Podman => [
            dropins(roots, "/usr/share/containers/containers.conf.d", ".conf"),
            vec![text_file(roots, "/etc/containers/containers.conf")],
            dropins(roots, "/etc/containers/containers.conf.d", ".conf"),
        ]
        .concat(),
    };
    [vec![main], further].concat()
}

fn dropins(roots: &Roots, directory: &str, suffix: &str) -> Vec<TextFile> {
    let is_read = |name: &str| !name.starts_with('.') && name.ends_with(suffix);
    matching_files(roots, Path::new(directory), is_read).unwrap_or_default()
}

/// What containerd's main file imports; imports of imports are not followed.
fn imported(roots: &Roots, main: &TextFile) -> Vec<TextFile> {
    let Some(Ok(settings)) = main.known().map(containerd::read) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for import in &settings.imports {
        let path = main.path.parent().unwrap_or(Path::new("/")).join(import);
        let directory = path.parent().unwrap_or(Path::new("/"));
        files.extend(matching_files(roots, directory, |name| containerd::fits(&path, name)).unwrap_or_default());
    }
    files
}
