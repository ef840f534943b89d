//! Our one spec file in a CDI directory, among other people's.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::store::{self, Outcome, StoreError};
use super::temporary;
use crate::cdi::format::{self, Format, FormatError};
use crate::cdi::model::Spec;
use crate::cdi::{FILE_STEM, KIND};

/// Specs are a few kilobytes; a larger file is nobody's spec.
const SIZE_LIMIT: u64 = 4 << 20;

/// A CDI directory as we keep our spec in it.
#[derive(Debug, Clone)]
pub struct CdiDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Format of our file.
    pub format: Format,
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
    /// The file system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spec has no text.
    #[error("the CDI spec {0}")]
    Format(#[from] FormatError),
}

impl CdiDirectory {
    /// Path of our spec file.
    pub fn file(&self) -> PathBuf {
        self.path.join(file_name(self.format))
    }

    /// Makes the directory hold this spec of ours and no other; none removes ours. Foreign files are never touched.
    pub fn publish(&self, spec: Option<&Spec>) -> Result<Outcome, PublishError> {
        // Before anything is changed: an error means that all stays as it was.
        store::refuse_link(&self.path.join(file_name(self.format.other())))?;
        for format in [Format::Yaml, Format::Json] {
            temporary::clear(&self.path, &file_name(format));
        }
        let outcome = match spec {
            None => store::remove(&self.path, &file_name(self.format))?,
            Some(spec) => {
                self.refuse_clash(spec)?;
                let text = format::to_text(spec, self.format)?;
                // Each format's file is readable under the other's name: JSON is YAML, and the CDI library reads all as YAML.
                store::replace(
                    &self.path,
                    &file_name(self.format),
                    &file_name(self.format.other()),
                    text.as_bytes(),
                )?
            }
        };
        store::remove(&self.path, &file_name(self.format.other()))?;
        Ok(outcome)
    }

    fn refuse_clash(&self, spec: &Spec) -> Result<(), PublishError> {
        let ours: BTreeSet<&str> = spec.devices.iter().map(|device| device.name.as_str()).collect();
        for file in self.foreign_files() {
            let Some(offer) = read_limited(&file).and_then(|text| format::read_offer(&text)) else {
                continue; // readers drop it, too
            };
            let clash = offer
                .devices
                .into_iter()
                .find(|device| ours.contains(device.name.as_str()));
            if let Some(device) = clash.filter(|_| offer.kind == KIND) {
                return Err(PublishError::Clash {
                    file,
                    device: device.name,
                });
            }
        }
        Ok(())
    }

    fn foreign_files(&self) -> Vec<PathBuf> {
        let ours = [file_name(Format::Yaml), file_name(Format::Json)];
        let names = fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| e.file_name().into_string().ok());
        let mut foreign: Vec<PathBuf> = names
            .filter(|name| Format::of_file_name(name).is_some() && !ours.contains(name))
            .map(|name| self.path.join(name))
            .collect();
        foreign.sort();
        foreign
    }
}

fn file_name(format: Format) -> String {
    format!("{FILE_STEM}.{format}")
}

/// A regular file's text; nothing for anything else, which could block or never end.
fn read_limited(path: &Path) -> Option<String> {
    let mut text = String::new();
    // Without waiting, should it be a pipe, and asked only once it is open: the name may become another file.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > SIZE_LIMIT {
        return None;
    }
    file.take(SIZE_LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}
