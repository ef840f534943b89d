//! Our one spec file in a CDI directory, among other people's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::spec_files;
use crate::host::files;
use crate::host::files::atomic_file::{self, StoreError, WriteOutcome};
use crate::model::cdi::format::{self, FormatError, SpecFormat};
use crate::model::cdi::model::Spec;
use crate::model::cdi::read;
use crate::model::cdi::{FILE_STEM, KIND};

/// A CDI directory as we keep our spec in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdiDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Format of our file.
    pub format: SpecFormat,
}

/// Why our spec is not in the directory.
#[derive(Debug, Error)]
pub enum PublishError {
    /// A reader drops a name that two files of a directory have: neither would work.
    #[error("{} offers {KIND}={device}, too, and readers drop a name that two files offer: remove that file, or use another directory", .file.display())]
    Clash {
        /// The other file.
        file: PathBuf,
        /// One of the names in question.
        device: String,
    },
    /// Somebody else's spec goes by the name of ours.
    #[error("{} is a spec of kind '{kind}' and not ours, so it stays: give it a name of its own, or use another directory", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Whose devices it has.
        kind: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spec has no text.
    #[error("the CDI spec {0}")]
    SpecFormat(#[from] FormatError),
}

impl CdiDirectory {
    /// Path of our spec file.
    pub fn file(&self) -> PathBuf {
        self.path.join(file_name(self.format))
    }

    /// Path of our spec file in the other format, which must not stand beside it.
    pub fn other_file(&self) -> PathBuf {
        self.path.join(file_name(self.format.other()))
    }

    /// Makes the directory hold this spec of ours and no other; none removes ours. Foreign files are never touched.
    pub fn publish(&self, spec: Option<&Spec>) -> Result<WriteOutcome, PublishError> {
        // Before anything is changed: an error means that all stays as it was.
        self.refuse_what_stays()?;
        self.refuse_foreign()?;
        let outcome = match spec {
            None => atomic_file::remove(&self.path, &file_name(self.format))?,
            Some(spec) => {
                self.refuse_clash(spec)?;
                let text = format::to_text(spec, self.format)?;
                // Each format's file is readable under the other's name: JSON is YAML, and the CDI library reads all as YAML.
                atomic_file::replace(
                    &self.path,
                    &file_name(self.format),
                    Some(&file_name(self.format.other())),
                    text.as_bytes(),
                )?
            }
        };
        atomic_file::remove(&self.path, &file_name(self.format.other()))?;
        Ok(outcome)
    }

    /// Removes our spec in both formats. The files that were there are returned.
    pub fn remove(&self) -> Result<Vec<PathBuf>, PublishError> {
        // Before anything is changed: an error means that all stays as it was.
        self.refuse_what_stays()?;
        self.refuse_foreign()?;
        let mut removed = Vec::new();
        for format in [self.format, self.format.other()] {
            if atomic_file::remove(&self.path, &file_name(format))? == WriteOutcome::Removed {
                removed.push(self.path.join(file_name(format)));
            }
        }
        Ok(removed)
    }

    /// Finds a link or a directory under one of the names of ours: neither can be replaced.
    fn refuse_what_stays(&self) -> Result<(), StoreError> {
        for file in [self.file(), self.other_file()] {
            atomic_file::refuse_link(&file)?;
            atomic_file::refuse_directory(&file)?;
        }
        Ok(())
    }

    /// Finds a spec of another kind under one of the names of ours. What says no kind at all is what is left of ours.
    pub fn refuse_foreign(&self) -> Result<(), PublishError> {
        for file in [self.file(), self.other_file()] {
            let kind = cdi_file_text(&file).and_then(|text| read::kind(&text));
            if let Some(kind) = kind.filter(|kind| kind != KIND) {
                return Err(PublishError::Foreign { file, kind });
            }
        }
        Ok(())
    }

    /// Finds a foreign file of this directory that has a name of the spec.
    pub fn refuse_clash(&self, spec: &Spec) -> Result<(), PublishError> {
        let ours: BTreeSet<&str> = spec.devices.iter().map(|device| device.name.as_str()).collect();
        for file in self.foreign_files() {
            let Some((kind, names)) = cdi_file_text(&file).and_then(|text| read::names(&text)) else {
                continue; // readers drop it, too
            };
            let clash = names.into_iter().find(|name| ours.contains(name.as_str()));
            if let Some(device) = clash.filter(|_| kind == KIND) {
                return Err(PublishError::Clash { file, device });
            }
        }
        Ok(())
    }

    /// What cannot be listed has no clash that we could know of; writing there says what is wrong with it.
    fn foreign_files(&self) -> Vec<PathBuf> {
        let ours = [self.file(), self.other_file()];
        let mut files = spec_files::paths(&self.path).unwrap_or_default();
        files.retain(|file| !ours.contains(file));
        files
    }
}

fn cdi_file_text(file: &Path) -> Option<String> {
    files::read::text(file).ok()
}

fn file_name(format: SpecFormat) -> String {
    format!("{FILE_STEM}.{format}")
}
