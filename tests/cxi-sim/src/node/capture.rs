//! A real node's tree from the bundle that `cxi-device-plugin doctor --bundle` wrote there: programs take it for that node.
//!
//! It shares the format with the program, not code: a tar archive whose `root/` is the tree, with `libraries.json` beside
//! it. A bundle comes from elsewhere, so it cannot write outside of the directory: links are made last.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use tar::{Archive, EntryType};

use super::device_node::{DeviceNodes, MAJOR, MINOR};
use super::elf::{Search, shared_object_with};
use super::error::{Context, Error, Result};
use super::tree::{make_directories, make_link, remove_file, write_file};

/// The tree in the archive.
const ROOT: &str = "root";
const LIBRARIES: &str = "libraries.json";
/// Far above what the program writes.
const FILE_LIMIT: u64 = 64 << 20;
const SIZE_LIMIT: u64 = 1 << 40;
const COUNT_LIMIT: usize = 1 << 18;

/// What is in a bundle, by path below the root.
#[derive(Default)]
struct Bundle {
    directories: BTreeMap<PathBuf, u32>,
    files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
    sizes: BTreeMap<PathBuf, (u32, u64)>,
    links: BTreeMap<PathBuf, PathBuf>,
    nodes: BTreeMap<PathBuf, (u32, u32)>,
    libraries: Vec<Library>,
}

/// A library as far as loaders go by it.
#[derive(Deserialize)]
struct Library {
    file: PathBuf,
    #[serde(default = "usual_mode")]
    mode: u32,
    soname: Option<String>,
    needed: Vec<String>,
    rpath: Vec<String>,
    runpath: Option<Vec<String>>,
}

/// Of libraries, in bundles of programs that do not say it.
fn usual_mode() -> u32 {
    0o755
}

/// Makes the tree of a bundle in a new or empty directory.
///
/// Device nodes are those of the emulation, with the driver's numbers changed to theirs; libraries are stand-ins with the
/// same names and needs. Nothing in it moves: it is a picture.
///
/// # Errors
/// [`Error::NotEmpty`]; [`Error::Bundle`] when the file is none; [`Error::Io`].
pub fn capture(bundle: &Path, dir: &Path) -> Result<DeviceNodes> {
    make_directories(dir)?;
    if fs::read_dir(dir).context("read", dir)?.next().is_some() {
        return Err(Error::NotEmpty(dir.to_owned()));
    }
    let archive = File::open(bundle).context("open", bundle)?;
    let mut content = Bundle::read(archive).map_err(|why| Error::Bundle {
        path: bundle.to_owned(),
        why,
    })?;
    content.renumber_nodes();
    let device_nodes = content.make(dir)?;
    for (link, target) in &content.links {
        let place = dir.join(link);
        make_parent(&place)?;
        make_link(&target.to_string_lossy(), &place)?;
    }
    Ok(device_nodes)
}

impl Bundle {
    fn read(archive: impl Read) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut bundle = Self::default();
        for (count, entry) in Archive::new(archive).entries().map_err(text)?.enumerate() {
            let mut entry = entry.map_err(text)?;
            let path = entry.path().map_err(text)?.into_owned();
            if count == COUNT_LIMIT {
                return Err(format!("more than {COUNT_LIMIT} files"));
            }
            if let Ok(place) = path.strip_prefix(ROOT) {
                bundle.take(&mut entry, below(place)?)?;
            } else if path == Path::new(LIBRARIES) {
                bundle.libraries = serde_json::from_slice(&content(&mut entry)?).map_err(|error| error.to_string())?;
            }
        }
        if bundle.links.is_empty() && bundle.files.is_empty() {
            return Err(format!("there is no {ROOT}/ in it"));
        }
        Ok(bundle)
    }

    fn take(&mut self, entry: &mut tar::Entry<'_, impl Read>, place: PathBuf) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let header = entry.header();
        let mode = header.mode().map_err(text)? & 0o777;
        match header.entry_type() {
            EntryType::Directory => drop(self.directories.insert(place, mode)),
            EntryType::GNUSparse => {
                let size = header.size().map_err(text)?;
                if size > SIZE_LIMIT {
                    return Err(format!("{} is larger than {SIZE_LIMIT} bytes", place.display()));
                }
                self.sizes.insert(place, (mode, size));
            }
            EntryType::Char => {
                let number = |number: std::io::Result<Option<u32>>| number.map_err(text).map(Option::unwrap_or_default);
                let numbers = (number(header.device_major())?, number(header.device_minor())?);
                self.nodes.insert(place, numbers);
            }
            EntryType::Symlink => {
                let target = entry.link_name().map_err(text)?.unwrap_or_default().into_owned();
                self.links.insert(place, target);
            }
            EntryType::Regular => drop(self.files.insert(place, (mode, content(entry)?))),
            other => {
                return Err(format!(
                    "{} is of a kind ({other:?}) that bundles do not have",
                    place.display()
                ));
            }
        }
        Ok(())
    }

    /// The nodes get the numbers of the emulation. One that was the driver's stays so, one that was not does not.
    fn renumber_nodes(&mut self) {
        for (path, (mode, bytes)) in &mut self.files {
            let name = path
                .strip_prefix("sys")
                .ok()
                .and_then(|path| path.parent()?.file_name());
            let is_dev = path.ends_with("dev") && path.components().any(|part| part.as_os_str() == "cxi_user");
            let node = name
                .filter(|_| is_dev)
                .and_then(|name| self.nodes.get(&Path::new("dev").join(name)));
            let Some((major, minor)) = node else { continue };
            if bytes.trim_ascii_end() == format!("{major}:{minor}").as_bytes() {
                (*mode, *bytes) = (*mode, format!("{MAJOR}:{MINOR}\n").into_bytes());
            }
        }
    }

    /// Everything but the links.
    fn make(&self, dir: &Path) -> Result<DeviceNodes> {
        self.directories
            .keys()
            .try_for_each(|place| make_directories(&dir.join(place)))?;
        for (place, (mode, bytes)) in &self.files {
            make_parent(&dir.join(place))?;
            write_file(&dir.join(place), *mode, bytes)?;
        }
        for (place, (mode, size)) in &self.sizes {
            let place = dir.join(place);
            make_parent(&place)?;
            write_file(&place, 0o644, b"")?;
            let file = File::options().write(true).open(&place).context("open", &place)?;
            file.set_len(*size).context("write", &place)?;
            fs::set_permissions(&place, Permissions::from_mode(*mode)).context("set the mode of", &place)?;
        }
        self.libraries.iter().try_for_each(|library| library.make(dir))?;
        make_directories(&dir.join("dev"))?;
        let device_nodes = DeviceNodes::probe(&dir.join("dev"))?;
        for place in self.nodes.keys().map(|place| dir.join(place)) {
            make_parent(&place)?;
            device_nodes.make(&place, 0)?;
        }
        for (place, mode) in &self.directories {
            let place = dir.join(place);
            fs::set_permissions(&place, Permissions::from_mode(*mode)).context("set the mode of", &place)?;
        }
        Ok(device_nodes)
    }
}

impl Library {
    fn make(&self, dir: &Path) -> Result<()> {
        let place = self.file.strip_prefix("/").ok().and_then(|place| below(place).ok());
        let Some(place) = place.map(|place| dir.join(place)) else {
            return Ok(());
        };
        let needed: Vec<&str> = self.needed.iter().map(String::as_str).collect();
        let search = Search {
            rpath: self.rpath.join(":"),
            runpath: self.runpath.as_ref().map(|runpath| runpath.join(":")),
        };
        make_parent(&place)?;
        remove_file(&place)?;
        write_file(
            &place,
            self.mode & 0o777,
            &shared_object_with(self.soname.as_deref(), &needed, &search),
        )
    }
}

fn make_parent(place: &Path) -> Result<()> {
    place.parent().map_or(Ok(()), make_directories)
}

/// A path that stays below where it is joined to.
fn below(path: &Path) -> Result<PathBuf, String> {
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path.to_owned())
    } else {
        Err(format!("'{}' leaves the tree", path.display()))
    }
}

fn content(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, String> {
    if entry.size() > FILE_LIMIT {
        return Err(format!("a file of more than {FILE_LIMIT} bytes"));
    }
    let mut bytes = Vec::new();
    let read = entry.read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| error.to_string())
}
