//! What a scan looks for beside NICs, and what the site knows better.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::config::Settings;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::companion::Companion;
use crate::model::nic::numa::NumaTable;
use crate::model::services::retry::LINGERS_AFTER;

/// What is looked for beside NICs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Which libraries.
    pub libraries: LibraryMode,
    /// Further libraries by their paths.
    pub extra: Vec<PathBuf>,
    /// Whether it is said which of several libraries were taken.
    pub choices: bool,
    /// Which device nodes.
    pub companions: Vec<Companion>,
    /// What the site says of NUMA nodes.
    pub numa: NumaTable,
    /// How long the end of a service may be refused before that is news.
    pub lingers_after: Duration,
    /// Whether each pod is to get a service of its own.
    pub isolation: bool,
}

impl ScanOptions {
    /// What these settings ask for.
    pub fn from_settings(settings: &Settings) -> Self {
        let extra = settings.libraries.extra.iter();
        Self {
            libraries: settings.libraries(),
            extra: extra.map(|library| library.path().to_owned()).collect(),
            choices: false,
            companions: settings.container.devices.clone(),
            numa: settings.numa.clone(),
            lingers_after: settings.cxi_service.lingers_after,
            isolation: settings.isolation.is_on(),
        }
    }

    /// The same with NUMA nodes by the word of the site.
    pub fn with_numa(self, numa: NumaTable) -> Self {
        Self { numa, ..self }
    }

    /// The same where each pod is to get a service of its own.
    pub fn with_isolation(self, isolation: bool) -> Self {
        Self { isolation, ..self }
    }
}

impl From<LibraryMode> for ScanOptions {
    /// With the usual device nodes.
    fn from(libraries: LibraryMode) -> Self {
        Self {
            libraries,
            extra: Vec::new(),
            choices: true,
            companions: Companion::usual(),
            numa: NumaTable::new(),
            lingers_after: LINGERS_AFTER,
            isolation: false,
        }
    }
}
