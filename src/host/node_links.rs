//! The links from PCI addresses to device nodes in `/dev/cxi-by-pci`. udev keeps them where our rule is installed; here they
//! are kept as well, and what is right already is not written again. A link that cannot be made right is better gone: a
//! runtime that misses it makes no container, one that follows a wrong one makes it with another pod's NIC.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::files::held_dir::HeldDir;
use super::files::roots::Roots;
use crate::model::nic::attributes::CxiName;
use crate::model::nic::node_link::{DIRECTORY, LinkFault, LinkFaults, Links, target};
use crate::model::nic::pci::PciAddress;

/// Readable for all, as udev makes it; not left to umask.
const MODE: u32 = 0o755;
/// Far above what there is of NICs; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// The directory of the links.
#[derive(Debug, Clone)]
pub struct NodeLinks {
    local: PathBuf,
    /// On the host, as pods' events name it.
    shown: PathBuf,
}

/// What came of keeping the links.
#[derive(Debug, Default)]
pub struct Kept {
    /// Links that are not right.
    pub faults: LinkFaults,
    /// Links that lead elsewhere than before, or are new.
    pub changed: Vec<(PathBuf, CxiName)>,
    /// Why a link of a NIC that is not there cannot be removed although it leads to another one's node.
    pub left: Option<String>,
}

impl NodeLinks {
    /// Beside the device nodes of this host.
    pub fn new(roots: &Roots) -> Self {
        let shown = roots.dev.join(DIRECTORY);
        Self {
            local: roots.local_path(&shown),
            shown,
        }
    }

    /// Where we find it.
    pub fn local(&self) -> &Path {
        &self.local
    }

    /// Where the host has it.
    pub fn on_host(&self) -> &Path {
        &self.shown
    }

    /// Has the links of these NICs lead to their nodes. Of others, those go that lead to one of these nodes by now.
    pub fn keep(&self, wanted: &Links) -> Kept {
        let directory = match self.hold() {
            Ok(None) if wanted.is_empty() => return Kept::default(),
            Ok(None) => self.make(),
            Ok(Some(directory)) => Ok(directory),
            Err(fault) => Err(fault),
        };
        let directory = match directory {
            Ok(directory) => directory,
            Err(fault) => {
                return Kept {
                    faults: wanted.keys().map(|address| (*address, fault.clone())).collect(),
                    ..Kept::default()
                };
            }
        };
        let leads_elsewhere = |target: &Path| {
            let name = target.file_name().and_then(|name| name.to_str());
            let name: Option<CxiName> = name.and_then(|name| name.parse().ok());
            name.is_none_or(|name| wanted.values().any(|taken| *taken == name))
        };
        let left = self.remove(&directory, wanted, leads_elsewhere);
        let mut kept = Kept {
            left: left.err(),
            ..Kept::default()
        };
        for (address, name) in wanted {
            match self.keep_one(&directory, *address, *name) {
                Ok(false) => {}
                Ok(true) => kept.changed.push((self.shown(*address), *name)),
                Err(fault) => drop(kept.faults.insert(*address, fault)),
            }
        }
        kept
    }

    /// Removes the links of all other NICs, and what a killed run has left of links that it was about to make.
    ///
    /// # Errors
    /// One cannot be removed, or the directory is none of ours.
    pub fn remove_others(&self, wanted: &Links) -> Result<(), String> {
        match self.hold() {
            Ok(None) => Ok(()),
            Ok(Some(directory)) => self.remove(&directory, wanted, |_| true),
            Err(fault) => Err(fault.reason().to_owned()),
        }
    }

    fn shown(&self, address: PciAddress) -> PathBuf {
        self.shown.join(address.to_string())
    }

    /// None where there is nothing yet.
    fn hold(&self) -> Result<Option<HeldDir>, LinkFault> {
        let name = self.shown.display();
        let directory = match HeldDir::open(&self.local) {
            Ok(directory) => directory,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(LinkFault::Missing(format!("{name} is not a directory: remove it")));
            }
            Err(error) => return Err(LinkFault::Wrong(format!("{name}: {error}"))),
        };
        let metadata = fs::metadata(directory.path()).map_err(|error| LinkFault::Wrong(format!("{name}: {error}")))?;
        // Whoever may write there decides which device a pod gets.
        let is_ours = metadata.uid() == 0 || metadata.uid() == geteuid().as_raw();
        if !is_ours || metadata.mode() & 0o022 != 0 {
            let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            let reason = format!("others may write in {name} (owner {owner}, mode {mode:04o}): remove it");
            return Err(LinkFault::Wrong(reason));
        }
        Ok(Some(directory))
    }

    fn make(&self) -> Result<HeldDir, LinkFault> {
        let cannot = |error: io::Error| LinkFault::Missing(format!("cannot make {}: {error}", self.shown.display()));
        match fs::create_dir(&self.local) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {} // udev was faster
            Err(error) => return Err(cannot(error)),
        }
        let directory = self.hold()?.ok_or_else(|| cannot(ErrorKind::NotFound.into()))?;
        fs::set_permissions(directory.path(), Permissions::from_mode(MODE)).map_err(cannot)?;
        Ok(directory)
    }

    /// Returns whether something was to be done.
    fn keep_one(&self, directory: &HeldDir, address: PciAddress, name: CxiName) -> Result<bool, LinkFault> {
        let (link, target) = (directory.path().join(address.to_string()), target(name));
        let shown = self.shown(address);
        let shown = shown.display();
        let is_there = match fs::read_link(&link) {
            Ok(there) if there == target => return Ok(false),
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return Err(LinkFault::Wrong(format!("{shown} is not a link: remove it")));
            }
            Err(error) => return Err(LinkFault::Wrong(format!("cannot look at {shown}: {error}"))),
        };
        let Err(error) = replace(&link, &target) else {
            return Ok(true);
        };
        let reason = format!("cannot have {shown} lead to {name}: {error}");
        // Better none than a wrong one.
        Err(if is_there && fs::remove_file(&link).is_err() {
            LinkFault::Wrong(reason)
        } else {
            LinkFault::Missing(reason)
        })
    }

    /// Removes the links of other NICs that go by their targets, and those that were about to be made; what is no link stays.
    fn remove(&self, directory: &HeldDir, wanted: &Links, goes: impl Fn(&Path) -> bool) -> Result<(), String> {
        let name = self.shown.display();
        let entries = fs::read_dir(directory.path()).map_err(|error| format!("cannot look into {name}: {error}"))?;
        let mut went = Ok(());
        for entry in entries.flatten().take(DIRECTORY_LIMIT) {
            let text = entry.file_name();
            let text = text.to_str().unwrap_or_default();
            let Ok(address) = half_made(text).unwrap_or(text).parse() else {
                continue;
            };
            let is_half_made = half_made(text).is_some();
            if !is_half_made && wanted.contains_key(&address) {
                continue;
            }
            let link = directory.path().join(text);
            let Ok(target) = fs::read_link(&link) else { continue };
            if (is_half_made || goes(&target))
                && let Err(error) = fs::remove_file(&link)
                && error.kind() != ErrorKind::NotFound
            {
                went = Err(format!("cannot remove {}: {error}", self.shown.join(text).display()));
            }
        }
        went
    }
}

/// At no moment is there no link where there was one.
fn replace(link: &Path, target: &Path) -> io::Result<()> {
    let name = link.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let new = link.with_file_name(format!(".{name}.tmp"));
    // There is one daemon: this is what a killed one has left.
    if fs::read_link(&new).is_ok() {
        fs::remove_file(&new)?;
    }
    symlink(target, &new)?;
    fs::rename(&new, link).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// The link that is to be.
fn half_made(name: &str) -> Option<&str> {
    name.strip_prefix('.')?.strip_suffix(".tmp")
}
