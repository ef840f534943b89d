//! Writing the tree: directories that appear whole, files with exact modes, links with the kernel's relative targets.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::attributes::File;
use super::error::{Context, Result};

/// Prefix of temporary directories in the node's directory: on the same file system as the tree, but outside of it.
const STAGING: &str = ".cxi-sim-";

/// The directory of an emulated node, with `sys`, `dev`, `usr`, `opt` and `run` below it.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the node's `/sys`.
    pub fn sys(&self, relative: &str) -> PathBuf {
        self.root.join("sys").join(relative)
    }

    /// A path below the node's `/dev`.
    pub fn dev(&self, name: &str) -> PathBuf {
        self.root.join("dev").join(name)
    }

    /// Makes a directory of `/sys` appear at once with everything in it, as no reader of a real sysfs ever sees an
    /// attribute without its value.
    pub fn publish(&self, directory: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let staging = self.staging()?;
        let built = staging.path().join("new");
        make_directory(&built)?;
        fill(&built)?;
        let place = self.sys(directory);
        fs::rename(&built, &place).context("create", &place)
    }

    /// Makes a directory of `/sys` disappear at once. One that is not there is fine.
    pub fn withdraw(&self, directory: &str) -> Result<()> {
        let place = self.sys(directory);
        let staging = self.staging()?;
        match fs::rename(&place, staging.path().join("old")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", &place),
            _ => Ok(()),
        }
    }

    /// Gives a file new content in one step: a reader sees the old value or the new one, never a torn one.
    pub fn replace(&self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        let staging = self.staging()?;
        let new = staging.path().join("new");
        write_file(&new, mode, content)?;
        fs::rename(&new, path).context("write", path)
    }

    /// Makes a symlink of `/sys` with the relative target the kernel would give it.
    pub fn link(&self, link: &str, target: &str) -> Result<()> {
        make_link(&sysfs_target(link, target), &self.sys(link))
    }

    fn staging(&self) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(&self.root)
            .context("write to", &self.root)
    }
}

/// Whether a name in the node's directory is a temporary one.
pub(super) fn is_staging(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(STAGING)
}

/// Writes files, and the directories they need, below `directory`.
pub(super) fn write_files(directory: &Path, files: &[File]) -> Result<()> {
    let mut made = "";
    for file in files {
        let path = directory.join(file.path.as_ref());
        // The tables keep a directory's files together.
        if let Some((parent, _)) = file.path.rsplit_once('/').filter(|(parent, _)| *parent != made) {
            make_directories(&directory.join(parent))?;
            made = parent;
        }
        write_file(&path, file.mode, &file.content)?;
    }
    Ok(())
}

/// Writes a new file. The mode is set on the open file, so that the umask has no say.
pub(super) fn write_file(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode))
    };
    write().context("write", path)
}

/// Makes a directory with mode 0755.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    fs::create_dir(path).context("create", path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755)).context("set the mode of", path)
}

/// Makes a directory and those above it, as far as they are missing.
pub(super) fn make_directories(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .context("create", path)
}

pub(super) fn make_link(target: &str, link: &Path) -> Result<()> {
    symlink(target, link).context("create", link)
}

/// Removes a file or link; one that is not there is fine.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", path),
        _ => Ok(()),
    }
}

/// The target of a sysfs symlink: up to the nearest directory that properly contains the target, then down
/// (`kernfs_get_target_path()` of the kernel's fs/kernfs/symlink.c). Both paths are relative to `/sys`.
pub(super) fn sysfs_target(link: &str, target: &str) -> String {
    let link: Vec<_> = link.split('/').collect();
    let target: Vec<_> = target.split('/').collect();
    let (above_link, above_target) = (link.len().saturating_sub(1), target.len().saturating_sub(1));
    let common = link
        .iter()
        .take(above_link)
        .zip(target.iter().take(above_target))
        .take_while(|(a, b)| a == b)
        .count();
    let ups = std::iter::repeat_n("..", above_link - common);
    ups.chain(target.into_iter().skip(common)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_up_to_the_nearest_proper_ancestor() {
        let nic = "devices/pci0000:20/0000:20:01.1/0000:21:00.0";
        for (link, target, expected) in [
            (
                "class/cxi/cxi0",
                format!("{nic}/cxi/cxi0"),
                format!("../../{nic}/cxi/cxi0"),
            ),
            (
                &format!("{nic}/cxi/cxi0/device"),
                nic.to_owned(),
                "../../../0000:21:00.0".into(),
            ),
            (
                &format!("{nic}/cxi/cxi0/subsystem"),
                "class/cxi".into(),
                "../../../../../../class/cxi".into(),
            ),
            (
                &format!("{nic}/driver"),
                "bus/pci/drivers/cxi_ss1".into(),
                "../../../../bus/pci/drivers/cxi_ss1".into(),
            ),
            (
                "bus/pci/drivers/cxi_ss1/0000:21:00.0",
                nic.into(),
                format!("../../../../{nic}"),
            ),
        ] {
            assert_eq!(sysfs_target(link, &target), expected, "{link}");
        }
    }

    #[test]
    fn a_directory_appears_only_when_it_is_whole() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let tree = Tree::new(dir.path().to_owned());
        make_directory(&tree.sys("")).expect("sys");
        tree.publish("properties", |staged| {
            assert!(!tree.sys("properties").exists());
            write_file(&staged.join("link"), 0o444, b"1\n")
        })
        .expect("published");
        assert_eq!(fs::read(tree.sys("properties/link")).expect("readable"), b"1\n");
        tree.withdraw("properties").expect("withdrawn");
        tree.withdraw("properties").expect("twice is fine");
        assert_eq!(
            fs::read_dir(dir.path()).expect("listed").count(),
            1,
            "no temporary directory stays"
        );
    }
}
