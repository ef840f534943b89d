//! Device nodes that containers get beside the NICs' own.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// A device node beside the NICs' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanionNode {
    /// Path in the container.
    pub container_path: PathBuf,
    /// Path on the host.
    pub host_path: PathBuf,
}

/// A device node that containers get beside the NICs' own; written `/dev/xpmem?` where it may be missing on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its path below the directory of device nodes.
    pub name: PathBuf,
    /// Whether its absence is nothing to speak of.
    pub is_optional: bool,
}

impl Companion {
    /// What programs of libfabric use where the host has it.
    pub fn usual() -> Vec<Self> {
        let usual = ["xpmem", "gdrdrv", "kdreg2"].map(|name| Self {
            name: name.into(),
            is_optional: true,
        });
        usual.into()
    }

    /// Its path in a container.
    pub fn container_path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }
}

impl fmt::Display for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_optional { "?" } else { "" };
        write!(f, "{}{mark}", self.container_path().display())
    }
}

/// A text that names no device node.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "'{0}' is not the path of a device node: write it as /dev/xpmem, with a question mark behind if it may be missing"
)]
pub struct InvalidCompanion(String);

impl FromStr for Companion {
    type Err = InvalidCompanion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, is_optional) = match text.strip_suffix('?') {
            Some(path) => (path, true),
            None => (text, false),
        };
        let name = path.strip_prefix("/dev/").map(Path::new);
        let is_plain = |name: &&Path| {
            let mut components = name.components().peekable();
            components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
        };
        match name.filter(is_plain).filter(|_| !path.contains('\0')) {
            Some(name) => Ok(Self {
                name: name.to_owned(),
                is_optional,
            }),
            None => Err(InvalidCompanion(text.to_owned())),
        }
    }
}
