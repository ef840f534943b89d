//! From what each place says to what the daemon runs by.

use super::cxi_service;
use super::fragment::{Fragment, Table};
use super::inputs::{self, Effective, Findings};
use super::keys;
use super::preset;
use super::problem::{ConfigError, Origin, Problem};
use super::settings::Settings;
use super::socket_path;
use super::unknown;
use crate::model::alloc::strategy::StrategySetting;
use crate::model::cdi::naming::NameKind;
use crate::model::runtime::places::RuntimeEndpoint;

/// Settings, and where each came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedConfig {
    /// The settings.
    pub settings: Settings,
    /// Every key in the order of the file.
    pub effective: Vec<Effective>,
}

impl LoadedConfig {
    /// The settings that follow from fragments, of which each wins over those before it.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, even where another one wins over it.
    pub fn from_fragments(fragments: Vec<Fragment>) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        for fragment in &fragments {
            problems.extend(fragment.faults.iter().cloned());
            let wrong = keys::read(&fragment.table).1.all_problems().into_iter();
            // What comes after a fault may have been taken for something else.
            problems.extend(wrong.filter(|problem| fragment.faults.iter().all(|fault| problem.origin < fault.origin)));
        }
        let mut table = inputs::merged(fragments);
        let (mut settings, mut findings) = keys::read(&table);
        if !settings.container.presets.is_empty() {
            let all = Fragment {
                table,
                ..Fragment::default()
            };
            table = inputs::merged([preset::fragment(&settings.container.presets), all]);
            (settings, findings) = keys::read(&table);
        }
        if problems.is_empty() {
            problems.extend(settings.contradictions(&findings.effective));
        }
        problems.sort();
        problems.dedup();
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        Ok(Self {
            settings,
            effective: findings.effective,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        keys::read(&Table::new()).0
    }
}

impl Settings {
    /// Values that each are right, but not together.
    fn contradictions(&self, effective: &[Effective]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, reason: &str| {
            let origin = effective.iter().find(|effective| effective.key == key);
            problems.push(Problem {
                origin: origin.map_or(Origin::Default, |effective| effective.origin.clone()),
                key: Some(key.to_owned()),
                reason: reason.to_owned(),
            });
        };
        if self.libraries.mode.with_all(self.libraries.closure_all).is_none() {
            wrong(
                "libraries.closure_all",
                "it says which libraries 'closure' takes: set libraries.mode = \"closure\" with it, or leave it out",
            );
        }
        if self.cdi.naming.kinds.is_empty() && !self.cdi.naming.all {
            wrong(
                "cdi.names",
                "without names and without 'all' no NIC has a CDI name: name at least \"pci\"",
            );
        }
        if self.strategy == StrategySetting::Cdi && !self.cdi.naming.kinds.contains(&NameKind::Pci) {
            wrong(
                "cdi.names",
                "strategy \"cdi\" tells kubelet the PCI addresses as names: add \"pci\"",
            );
        }
        let textfile = self.export.textfile.as_ref();
        if textfile.is_some_and(|file| file.extension().is_none_or(|suffix| suffix != "prom")) {
            wrong(
                "export.textfile",
                "node_exporter reads only files whose names end in .prom",
            );
        }
        for overlap in self.isolation.vnis.overlaps() {
            let reason = format!(
                "it overlaps with that of {} ({}): pods of both namespaces would reach each other",
                overlap.other, overlap.vnis
            );
            wrong(&format!("isolation.vnis.{}", overlap.namespace), &reason);
        }
        if let Some(reason) = socket_path::of_directory(&self.kubelet.dir) {
            wrong("kubelet.dir", &reason);
        }
        if let RuntimeEndpoint::Socket(socket) = &self.runtime_endpoint
            && let Some(reason) = socket_path::of_socket(socket)
        {
            wrong("runtime.endpoint", &reason);
        }
        if let Some(reason) = socket_path::of_socket(&self.kubelet.pod_resources) {
            wrong("kubelet.pod_resources", &reason);
        }
        if let Some(reason) = self.export.metrics_socket.as_deref().and_then(socket_path::of_socket) {
            wrong("export.metrics_socket", &reason);
        }
        problems.extend(cxi_service::contradiction(self, effective));
        problems
    }
}

impl Findings {
    /// What is wrong, with the unknown keys explained.
    fn all_problems(&mut self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut self.problems);
        let unknown = std::mem::take(&mut self.unknown);
        problems.extend(unknown::problems(unknown));
        problems
    }
}
