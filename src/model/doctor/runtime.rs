//! The container runtimes: whether they honour CDI names, and how much memory their containers may lock.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use super::containerd::{self, ContainerdSettings};
use super::facts::{CdiDirectoryFacts, NodeFacts, Runtime, TextFile};
use super::finding::{Evidence, Examination, FindingId, Level};
use super::limits::{self, Limit};
use super::spec_dirs;
use super::strategy;
use crate::model::cdi::KIND;
use crate::model::printable::shell_word;
use crate::model::runtime::choice::is_same_directory;
use crate::model::runtime::places::RuntimeKind;

pub(super) fn examine(facts: &NodeFacts, examination: &mut Examination) {
    unknown(facts, examination);
    for runtime in facts.runtimes.iter().filter(|runtime| counts(facts, runtime)) {
        for file in &runtime.configuration {
            examination.known(runtime.kind.name(), &file.text);
        }
        let memlock = match runtime.kind {
            RuntimeKind::Containerd => containerd(facts, runtime, examination),
            RuntimeKind::Crio => crio_memlock(runtime),
            RuntimeKind::Docker => docker(runtime, examination),
            // Whoever starts it gives its containers their limits.
            RuntimeKind::Podman => Some(Limit::Unlimited),
        };
        spec_directories(facts, runtime, examination);
        if memlock != Some(Limit::Unlimited) {
            examine_runtime(runtime, examination);
        }
    }
}

/// Where kubelet is, it uses containerd or CRI-O; elsewhere containerd serves Docker, which does CDI itself. Podman is used
/// beside either.
fn counts(facts: &NodeFacts, runtime: &Runtime) -> bool {
    match runtime.kind {
        RuntimeKind::Podman => true,
        kind => is_for_kubelet(facts) == (kind != RuntimeKind::Docker),
    }
}

fn is_for_kubelet(facts: &NodeFacts) -> bool {
    facts.has_kubelet() || facts.kubelet.process.is_some()
}

/// Kubelet has one, at a socket that nobody here knows, unless the daemon was told of it.
fn unknown(facts: &NodeFacts, examination: &mut Examination) {
    let mut runtimes = facts
        .runtimes
        .iter()
        .filter(|runtime| runtime.kind != RuntimeKind::Podman);
    if is_for_kubelet(facts) && !runtimes.any(|runtime| counts(facts, runtime)) && !strategy::is_told_of_any(facts) {
        examination.unknown(
            "container runtime",
            "unknown runtime: none of containerd (also that of k3s, RKE2, k0s, MicroK8s) and CRI-O is at its usual socket, so \
             nothing is known of its CDI; see [runtime] endpoint",
        );
    }
}

/// Whether a runtime reads the directory that matters to it: for kubelet's that of the daemon, for others those with a spec of
/// ours.
fn spec_directories(facts: &NodeFacts, runtime: &Runtime, examination: &mut Examination) {
    let read = spec_dirs::of(runtime);
    let is_read = |path: &Path| read.dirs.iter().any(|dir| is_same_directory(dir, path));
    let has_ours = |directory: &&CdiDirectoryFacts| {
        let mut files = directory
            .files
            .iter()
            .flatten()
            .filter_map(|file| file.content.as_ref().ok());
        files.any(|offered| offered.kind == KIND)
    };
    let is_of_kubelet = matches!(runtime.kind, RuntimeKind::Containerd | RuntimeKind::Crio);
    let wanted: Vec<&CdiDirectoryFacts> = if is_of_kubelet {
        facts.cdi.last().into_iter().collect()
    } else {
        facts.cdi.iter().filter(has_ours).collect()
    };
    if wanted.is_empty() || wanted.iter().any(|directory| is_read(&directory.path)) {
        return;
    }
    let name = runtime.kind.name();
    let listed = |dirs: &mut dyn Iterator<Item = &PathBuf>| {
        let dirs: Vec<String> = dirs.map(|dir| dir.display().to_string()).collect();
        dirs.join(", ")
    };
    let ours = listed(&mut wanted.iter().map(|directory| &directory.path));
    let dirs = listed(&mut read.dirs.iter());
    let (level, what) = match &read.said_in {
        Some(_) => (
            Level::Warning,
            format!("reads CDI specs in other directories than {ours}"),
        ),
        None => (
            Level::Note,
            format!("by default {name} reads CDI specs in {dirs} only (podman since 5.5), and not in {ours}"),
        ),
    };
    let key = match runtime.kind {
        RuntimeKind::Docker => "cdi-spec-dirs",
        _ => "cdi_spec_dirs",
    };
    let remedy = match runtime.kind {
        RuntimeKind::Podman => format!(
            "set cdi_spec_dirs = [\"/etc/cdi\", {}] under [engine] of /etc/containers/containers.conf",
            wanted
                .iter()
                .map(|directory| format!("\"{}\"", directory.path.display()))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        RuntimeKind::Docker => {
            format!("add {ours} to cdi-spec-dirs in /etc/docker/daemon.json ; systemctl restart docker")
        }
        RuntimeKind::Containerd | RuntimeKind::Crio => format!(
            "cxi-device-plugin --cdi-dir {}",
            read.dirs
                .last()
                .map_or_else(|| "DIR".to_owned(), |dir| shell_word(dir.display()))
        ),
    };
    let said_in = read.said_in.as_ref().unwrap_or(&runtime.seen);
    let evidence = vec![Evidence::new(said_in, format!("{key} = {dirs}"))];
    examination.found((FindingId::RuntimeCdiDirs, level), name, what, evidence, remedy);
}

/// Containers have the limit of the runtime.
fn containerd(facts: &NodeFacts, runtime: &Runtime, examination: &mut Examination) -> Option<Limit> {
    let mut settings = ContainerdSettings::default();
    let mut is_known = false;
    for file in &runtime.configuration {
        let Some(text) = file.known() else { continue };
        match containerd::read(text) {
            Ok(read) => {
                settings = settings.then(read);
                is_known = true;
            }
            Err(reason) => examination.unknown(file.path.display(), format!("not TOML: {reason}")),
        }
    }
    if strategy::is_told(facts, "containerd") {
        // Its own word counts for more than its files, which it may have read before they were changed.
    } else if !is_known {
        let reason = "no configuration: containerd 2 has CDI on then, containerd 1.7 off";
        examination.unknown("CDI of containerd", reason);
    } else if !settings.is_cri_off && !settings.is_cdi_on() {
        cdi_off(runtime, &settings, examination);
    }
    None
}

fn cdi_off(runtime: &Runtime, settings: &ContainerdSettings, examination: &mut Examination) {
    let (table, said) = match (settings.version, settings.enable_cdi) {
        (Some(3..), _) => ("[plugins.'io.containerd.cri.v1.runtime']", "enable_cdi = false"),
        (_, Some(_)) => ("[plugins.'io.containerd.grpc.v1.cri']", "enable_cdi = false"),
        (_, None) => ("[plugins.'io.containerd.grpc.v1.cri']", "no enable_cdi"),
    };
    examination.found(
        (FindingId::RuntimeCdiOff, Level::Warning),
        "containerd",
        "drops CDI names: pods that ask by annotation, or a plugin that answers with them, get no NIC. (containerd 2 with a \
         configuration of version 2 has CDI on; say so there, too)",
        evidence(runtime, said),
        format!("set enable_cdi = true under {table} ; systemctl restart containerd"),
    );
}

fn evidence(runtime: &Runtime, said: impl std::fmt::Display) -> Vec<Evidence> {
    let main = runtime.configuration.first();
    main.map(|file| Evidence::new(&file.path, said)).into_iter().collect()
}

/// CRI-O has limits of its own for containers.
fn crio_memlock(runtime: &Runtime) -> Option<Limit> {
    let tables = runtime
        .configuration
        .iter()
        .filter_map(|file| file.known()?.parse::<Table>().ok());
    let ulimits = tables.filter_map(|table| {
        table
            .get("crio")?
            .get("runtime")?
            .get("default_ulimits")?
            .as_array()
            .cloned()
    });
    let memlock = |value: &toml::Value| value.as_str().is_some_and(|text| text.starts_with("memlock=-1"));
    let last = ulimits.reduce(|_, later| later)?;
    last.iter().any(memlock).then_some(Limit::Unlimited)
}

/// So has Docker.
fn docker(runtime: &Runtime, examination: &mut Examination) -> Option<Limit> {
    let file = runtime.configuration.first()?;
    let settings: Value = match file.known().map(serde_json::from_str).transpose() {
        Ok(settings) => settings.unwrap_or_default(),
        Err(_) => {
            examination.unknown(file.path.display(), "not JSON");
            return None;
        }
    };
    match settings.pointer("/features/cdi").and_then(Value::as_bool) {
        Some(true) => {}
        Some(false) => examination.found(
            (FindingId::RuntimeCdiOff, Level::Warning),
            "docker",
            "CDI is off: docker run --device hpe.com/cxi=all fails",
            evidence(runtime, "features.cdi = false"),
            r#"set { "features": { "cdi": true } } in that file ; systemctl restart docker"#,
        ),
        None => examination.unknown(
            "CDI of Docker",
            "no features.cdi: Docker 28.2 has CDI on then, older ones off",
        ),
    }
    let memlock = settings
        .pointer("/default-ulimits/memlock/Soft")
        .and_then(Value::as_i64);
    (memlock == Some(-1)).then_some(Limit::Unlimited)
}

/// Of the process, which is what counts; else as its unit will give it.
fn examine_runtime(runtime: &Runtime, examination: &mut Examination) {
    let (limit, evidence) = match (&runtime.limits, runtime.unit.last()) {
        (Some(file), _) => match examination.known("locked memory", &file.text).map(Option::as_deref) {
            Some(Some(text)) => (
                limits::process_limit(text),
                Evidence::new(&file.path, "Max locked memory"),
            ),
            Some(None) | None => return,
        },
        (None, Some(last)) => {
            let limit = limits::unit_limit(runtime.unit.iter().filter_map(TextFile::known));
            (
                Some(limit.unwrap_or(limits::SYSTEMD_DEFAULT)),
                Evidence::new(&last.path, "LimitMEMLOCK="),
            )
        }
        (None, None) => return,
    };
    let Some(limit @ Limit::Bytes(_)) = limit else { return };
    let name = runtime.kind.name();
    examination.found(
        (FindingId::RuntimeMemlock, Level::Warning),
        name,
        format!("its containers may lock {limit} of memory; libfabric needs it without a limit"),
        vec![Evidence::new(&evidence.path, format!("{} {limit}", evidence.value))],
        format!(
            "systemctl edit {name} and write: [Service] LimitMEMLOCK=infinity ; systemctl restart {name}, and start the pods anew"
        ),
    );
}
