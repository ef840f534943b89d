//! What a container runtime says of itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::model::alloc::brief::beginning;

/// Characters of a runtime's name or version that are passed on.
const WORD: usize = 80;

/// What was heard last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// What came of asking.
    pub answer: RuntimeAnswer,
    /// In which life of kubelet that was; 0 before the first.
    pub kubelet: u64,
}

/// What came of asking the node's container runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuntimeAnswer {
    /// It has just been asked.
    #[default]
    Awaited,
    /// There is no answer, for this reason.
    Silent(String),
    /// It has answered.
    Known(RuntimeFacts),
}

/// A runtime that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// Where it was asked, as the host has it.
    pub socket: PathBuf,
    /// Its name, such as `containerd`.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// What its configuration says of CDI.
    pub settings: RuntimeSettings,
}

/// What the configuration in containerd's answer says of CDI; without a word where it prints none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RuntimeSettings {
    /// Whether CDI is on.
    #[serde(rename = "enableCDI", default)]
    pub enable_cdi: Option<bool>,
    /// Where it reads specs.
    #[serde(rename = "cdiSpecDirs", default)]
    pub cdi_spec_dirs: Option<Vec<PathBuf>>,
}

impl RuntimeSettings {
    /// Of the text that containerd gives as its configuration.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("its configuration cannot be read: {error}"))
    }
}

impl RuntimeFacts {
    /// In its own words, cut to a bearable length.
    pub fn new(socket: &Path, name: &str, version: &str) -> Self {
        Self {
            socket: socket.to_owned(),
            name: beginning(name, WORD),
            version: beginning(version, WORD),
            settings: RuntimeSettings::default(),
        }
    }
}
