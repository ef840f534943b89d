//! What a scan looks for beside NICs.

use std::path::PathBuf;

use crate::model::config::Settings;
use crate::model::libs::library_mode::LibraryMode;
use crate::model::nic::companion::Companion;

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
        }
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
        }
    }
}
