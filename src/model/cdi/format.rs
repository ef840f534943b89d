//! A spec as text.

use std::fmt;

use thiserror::Error;

use super::model::Spec;

/// Text format of a spec file; its suffix tells readers which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SpecFormat {
    /// As hpe.com-cxi.yaml
    #[default]
    Yaml,
    /// As hpe.com-cxi.json
    Json,
}

impl SpecFormat {
    /// The format that a reader of CDI directories takes a file of this name to have; it reads no other names.
    pub fn from_file_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "yaml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The other of the two.
    pub fn other(self) -> Self {
        match self {
            Self::Yaml => Self::Json,
            Self::Json => Self::Yaml,
        }
    }
}

impl fmt::Display for SpecFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
        })
    }
}

/// A spec that cannot be written down.
#[derive(Debug, Error)]
pub enum FormatError {
    /// By the YAML writer.
    #[error("cannot be written as YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// By the JSON writer.
    #[error("cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// The text of a spec; the same spec always gives the same bytes.
pub fn to_text(spec: &Spec, format: SpecFormat) -> Result<String, FormatError> {
    Ok(match format {
        SpecFormat::Yaml => serde_saphyr::to_string(spec)?,
        SpecFormat::Json => serde_json::to_string_pretty(spec)? + "\n",
    })
}
