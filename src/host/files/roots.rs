//! Where things are on the host and where we find them; the only place that joins the two. All reading of the host's
//! attributes goes through here, and every read is bounded: the files may be missing, endless, binary, or vanish.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{OsStringValueParser, TypedValueParser};
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, lstat};
use thiserror::Error;

use super::untrusted::{Place, Purpose, Tree};
use crate::model::path_walk::{Stop, walk};
use crate::model::reading::{ReadError, Reading};

/// A sysfs attribute holds at most one page.
const ATTRIBUTE_LIMIT: usize = 4096;
/// Far above what a directory of devices or libraries holds; stops a directory without end.
const DIRECTORY_LIMIT: usize = 65_536;

/// The command line's and environment's answer to where the host keeps things.
///
/// The four roots say where a thing is on the host, so they show in the spec. `--root` says where the host's tree is
/// mounted for us: it is put in front for reading and never shows.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where the host keeps things")]
pub struct RootArgs {
    /// Where the host's file system is mounted; stripped from every path in the spec
    #[arg(long = "root", value_name = "PREFIX", value_parser = possibly_empty())]
    pub prefix: Option<PathBuf>,
    /// sysfs on the host [default: /sys]
    #[arg(long, env = "SYSFS_ROOT", value_name = "DIR", value_parser = possibly_empty())]
    pub sysfs_root: Option<PathBuf>,
    /// Device nodes on the host [default: /dev]
    #[arg(long, env = "DEVFS_ROOT", value_name = "DIR", value_parser = possibly_empty())]
    pub devfs_root: Option<PathBuf>,
    /// Directory of libfabric on the host [default: /opt/cray/lib64, /opt/cray/libfabric/default, where the loader looks, the newest of /opt/cray/libfabric]
    #[arg(long, env = "OFI_ROOT", value_name = "DIR", value_parser = possibly_empty())]
    pub ofi_root: Option<PathBuf>,
    /// Directory of libcxi on the host [default: where that libfabric finds it, /usr/lib64, where the loader looks]
    #[arg(long, env = "CXI_ROOT", value_name = "DIR", value_parser = possibly_empty())]
    pub cxi_root: Option<PathBuf>,
}

impl RootArgs {
    /// The four roots with the names of their variables; empty ones count as not set.
    fn set(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let roots = [
            ("SYSFS_ROOT", &self.sysfs_root),
            ("DEVFS_ROOT", &self.devfs_root),
            ("OFI_ROOT", &self.ofi_root),
            ("CXI_ROOT", &self.cxi_root),
        ];
        let set = roots
            .into_iter()
            .filter_map(|(name, path)| Some((name, path.as_deref()?)));
        set.filter(|(_, path)| !path.as_os_str().is_empty())
    }

    /// Refuses what no spec and no configuration can name.
    ///
    /// # Errors
    /// A root is not UTF-8.
    pub fn check_texts(&self) -> Result<(), RootError> {
        match self.set().find(|(_, path)| path.to_str().is_none()) {
            None => Ok(()),
            Some((name, path)) => Err(RootError::NotText {
                name,
                path: path.to_owned(),
            }),
        }
    }
}

/// A path, or the empty text, which counts as not set: scripts pass on variables that are not there.
fn possibly_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Where the host keeps things, checked.
#[derive(Debug, Clone)]
pub struct Roots {
    prefix: Option<PathBuf>,
    /// sysfs on the host.
    pub sysfs: PathBuf,
    /// Device nodes on the host.
    pub dev: PathBuf,
    /// Directory of libfabric on the host, where the site set one.
    pub ofi: Option<PathBuf>,
    /// Directory of libcxi on the host, where the site set one.
    pub cxi: Option<PathBuf>,
    fd_exhausted: Arc<AtomicBool>,
    /// Directories that were given as we see them: the prefix is not put in front.
    given: Vec<PathBuf>,
    /// Where the prefix is somebody else's tree: then every look goes through this.
    foreign: Option<Tree>,
}

/// A root that was set and cannot be used.
#[derive(Debug, Error)]
pub enum RootError {
    /// Nothing there.
    #[error("{name} is set to {}", self.reason())]
    NotADirectory {
        /// The flag or variable.
        name: &'static str,
        /// Its value.
        path: PathBuf,
        /// Where we looked, if elsewhere.
        seen: String,
    },
    /// Paths in a spec are absolute.
    #[error("{name} is set to {}", self.reason())]
    Relative {
        /// The flag or variable.
        name: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// Specs and configurations are texts.
    #[error("{name} is set to {}", self.reason())]
    NotText {
        /// The flag or variable.
        name: &'static str,
        /// Its value.
        path: PathBuf,
    },
}

impl RootError {
    /// The flag or variable.
    pub fn variable(&self) -> &'static str {
        match self {
            Self::NotADirectory { name, .. } | Self::Relative { name, .. } | Self::NotText { name, .. } => name,
        }
    }

    /// The value, what is wrong with it and what to do.
    pub fn reason(&self) -> String {
        match self {
            Self::NotADirectory { path, seen, .. } => format!(
                "'{}', which is not a directory{seen}: correct it, or leave it out for the default",
                path.display()
            ),
            Self::Relative { path, .. } => {
                format!("'{}': give an absolute path, as it goes into the spec", path.display())
            }
            Self::NotText { path, .. } => format!(
                "'{}', which is not UTF-8, and a CDI spec is: give it another name on the host, such as a link",
                path.display()
            ),
        }
    }
}

impl Roots {
    /// Checks what was set. An empty value counts as not set.
    pub fn new(args: &RootArgs) -> Result<Self, RootError> {
        let set = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let roots = Self {
            prefix: set(&args.prefix),
            sysfs: set(&args.sysfs_root).unwrap_or_else(|| "/sys".into()),
            dev: set(&args.devfs_root).unwrap_or_else(|| "/dev".into()),
            ofi: set(&args.ofi_root),
            cxi: set(&args.cxi_root),
            fd_exhausted: Arc::default(),
            given: Vec::new(),
            foreign: None,
        };
        if let Some(prefix) = &roots.prefix {
            check_directory("--root", prefix, prefix)?;
        }
        args.check_texts()?;
        for (name, path) in args.set() {
            if path.is_relative() {
                let path = path.to_owned();
                return Err(RootError::Relative { name, path });
            }
            let real = roots.resolve(path).unwrap_or_else(|_| path.to_owned());
            check_directory(name, path, &roots.local_path(&real))?;
        }
        Ok(roots)
    }

    /// The tree of a container or an image, whose links lead nowhere but into itself, at the default places; people call it
    /// `name`. Whoever waits for a look at it sees in `place` how far it has come.
    pub fn untrusted(top: &Path, name: &Path, place: &Place) -> io::Result<Self> {
        Ok(Self {
            prefix: Some(top.to_owned()),
            sysfs: "/sys".into(),
            dev: "/dev".into(),
            ofi: None,
            cxi: None,
            fd_exhausted: Arc::default(),
            given: Vec::new(),
            foreign: Some(Tree::open(top, name, place)?),
        })
    }

    /// The same places, for a look beside another one: it alone hears of files that it could not open.
    pub fn apart(&self) -> Self {
        Self {
            fd_exhausted: Arc::default(),
            ..self.clone()
        }
    }

    /// The same, where these directories stand as they are, whatever the prefix. One below it is the host's own.
    pub fn with_given(mut self, directories: impl IntoIterator<Item = PathBuf>) -> Self {
        self.given.extend(directories);
        self
    }

    /// Whether the host's tree is where it is for the host.
    pub fn has_no_prefix(&self) -> bool {
        self.prefix.is_none()
    }

    /// Where we find what the host has at `host_path`.
    pub fn local_path(&self, host_path: &Path) -> PathBuf {
        match &self.prefix {
            None => host_path.to_owned(),
            Some(_) if self.given.iter().any(|given| host_path.starts_with(given)) => host_path.to_owned(),
            Some(prefix) => prefix.join(host_path.strip_prefix("/").unwrap_or(host_path)),
        }
    }

    /// Where the host's tree is mounted for us.
    pub fn top(&self) -> &Path {
        self.prefix.as_deref().unwrap_or(Path::new("/"))
    }

    /// Whether the host's sysfs is the kernel's, not an emulated one.
    pub fn is_kernel_sysfs(&self) -> bool {
        let kind = nix::sys::statfs::statfs(&self.local_path(&self.sysfs)).map(|statfs| statfs.filesystem_type());
        kind == Ok(nix::sys::statfs::SYSFS_MAGIC)
    }

    /// A directory of attributes, of which many are to be read: found once, and not on the way to each. None where it cannot be
    /// held; then each attribute says what is wrong.
    pub fn hold(&self, host_path: &Path) -> Option<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let is_ours = self.foreign.is_none();
        is_ours
            .then(|| nix::fcntl::open(&self.local_path(host_path), flags, Mode::empty()).ok())
            .flatten()
    }

    /// An attribute's text without the line end that most attributes have.
    pub fn text(&self, host_path: &Path) -> Reading<String> {
        text_of(self.open_for(host_path, Purpose::Attribute)).map_err(|reason| ReadError::new(host_path, reason))
    }

    /// The same of an attribute in a directory that is held.
    pub fn text_in(&self, held: &OwnedFd, attribute: &str) -> Result<String, String> {
        text_of(self.open_in(held, attribute))
    }

    /// An attribute's number, decimal or hexadecimal with `0x`.
    pub fn number(&self, host_path: &Path) -> Reading<u64> {
        number_of(&self.text(host_path)?).map_err(|reason| ReadError::new(host_path, reason))
    }

    /// The same of an attribute in a directory that is held.
    pub fn number_in(&self, held: &OwnedFd, attribute: &str) -> Result<u64, String> {
        number_of(&self.text_in(held, attribute)?)
    }

    /// At most `limit + 1` bytes from the beginning of a file.
    pub fn bytes(&self, host_path: &Path, limit: u64) -> Reading<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(host_path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .map_err(|error| ReadError::new(host_path, error))?;
        Ok(bytes)
    }

    fn open_in(&self, held: &OwnedFd, attribute: &str) -> io::Result<File> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened = nix::fcntl::openat(held, attribute, flags, Mode::empty());
        opened
            .map(File::from)
            .map_err(io::Error::from)
            .inspect_err(|error| self.note(error))
    }

    /// Opens for reading, without waiting should the file turn out to be a pipe.
    pub fn open(&self, host_path: &Path) -> io::Result<File> {
        self.open_for(host_path, Purpose::Data)
    }

    fn open_for(&self, host_path: &Path, purpose: Purpose) -> io::Result<File> {
        let opened = match &self.foreign {
            Some(tree) => tree.read(host_path, purpose),
            None => OpenOptions::new()
                .read(true)
                .custom_flags(nix::libc::O_NONBLOCK)
                .open(self.local_path(host_path)),
        };
        opened.inspect_err(|error| self.note(error))
    }

    /// The same for a plain file, wherever its links lead on the host.
    pub fn open_plain(&self, host_path: &Path) -> io::Result<File> {
        if self.foreign.is_some() {
            return self.open(host_path);
        }
        let real = self.follow(host_path).map_err(|(_, error)| error)?;
        // Before it is opened, which does something to a device.
        if !fs::metadata(self.local_path(&real))?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        self.open(&real)
    }

    /// Type, mode, owner and numbers of what stands there, with all links followed; none when nothing is there.
    pub fn look(&self, host_path: &Path) -> Reading<Option<FileStat>> {
        let found = match &self.foreign {
            Some(tree) => tree
                .find(host_path)
                .map(|found| found.status)
                .map_err(|error| (host_path.to_owned(), error)),
            None => self.follow(host_path).and_then(|real| {
                let status = lstat(&self.local_path(&real));
                status.map_err(|errno| (real, errno.into()))
            }),
        };
        match found {
            Ok(status) => Ok(Some(status)),
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err((path, error)) => Err(ReadError::new(path, error)),
        }
    }

    /// Whether something could not be opened for want of file descriptors since this was asked last.
    pub fn take_fd_exhausted(&self) -> bool {
        self.fd_exhausted.swap(false, Ordering::Relaxed)
    }

    fn note(&self, error: &io::Error) {
        if matches!(error.raw_os_error(), Some(nix::libc::EMFILE | nix::libc::ENFILE)) {
            self.fd_exhausted.store(true, Ordering::Relaxed);
        }
    }

    /// The names in a directory, sorted; names that are not UTF-8 name none of our things and are left out.
    pub fn names(&self, host_path: &Path) -> Reading<Vec<String>> {
        self.list(host_path).map_err(|error| ReadError::new(host_path, error))
    }

    /// The same, and no names where there is no directory.
    pub fn names_if_there(&self, host_path: &Path) -> Reading<Vec<String>> {
        match self.list(host_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map_err(|error| ReadError::new(host_path, error)),
        }
    }

    fn entries(&self, host_path: &Path) -> io::Result<fs::ReadDir> {
        let entries = match &self.foreign {
            Some(tree) => tree.entries(host_path),
            None => fs::read_dir(self.local_path(host_path)),
        };
        entries.inspect_err(|error| self.note(error))
    }

    fn list(&self, host_path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for (count, entry) in self.entries(host_path)?.enumerate() {
            if count == DIRECTORY_LIMIT {
                return Err(io::Error::other(format!("more than {DIRECTORY_LIMIT} entries")));
            }
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points to; none when nothing is there.
    pub fn link_target(&self, host_path: &Path) -> Reading<Option<PathBuf>> {
        let target = match &self.foreign {
            Some(tree) => tree.link_target(host_path),
            None => fs::read_link(self.local_path(host_path)),
        };
        match target {
            Ok(target) => Ok(Some(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError::new(host_path, error)),
        }
    }

    /// The path on the host with all links followed as the host would follow them, whatever it is mounted below for us.
    pub fn resolve(&self, host_path: &Path) -> Reading<PathBuf> {
        self.follow(host_path)
            .map_err(|(path, error)| ReadError::new(path, error))
    }

    /// The same; an error comes with the path at which it happened.
    fn follow(&self, host_path: &Path) -> Result<PathBuf, (PathBuf, io::Error)> {
        self.follow_telling(host_path, |_, _| {})
    }

    /// The same; tells of each link on the way, with its target.
    pub fn follow_telling(
        &self,
        host_path: &Path,
        mut on_link: impl FnMut(&Path, &Path),
    ) -> Result<PathBuf, (PathBuf, io::Error)> {
        if let Some(tree) = &self.foreign {
            return tree.find_telling(host_path, &mut on_link).map(|found| found.real);
        }
        let given = self.given.iter().find(|given| host_path.starts_with(given));
        let walked = walk(host_path, |name| {
            // What was given stands as it is.
            if given.is_some_and(|given| given.starts_with(name)) {
                return Ok(None);
            }
            let here = self.local_path(name);
            if !fs::symlink_metadata(&here)?.file_type().is_symlink() {
                return Ok(None);
            }
            let target = fs::read_link(&here)?;
            on_link(name, &target);
            Ok(Some(target))
        });
        walked.map_err(|stop| match stop {
            Stop::At(name, error) => (name, error),
            Stop::TooManyLinks => {
                let error = io::Error::other("too many levels of symbolic links");
                (host_path.to_owned(), error)
            }
        })
    }
}

/// What an attribute holds, or why it says nothing.
fn text_of(opened: io::Result<File>) -> Result<String, String> {
    let mut page = [0; ATTRIBUTE_LIMIT + 1];
    let length = opened
        .and_then(|file| read_once(file, &mut page))
        .map_err(|error| error.to_string())?;
    if length > ATTRIBUTE_LIMIT {
        return Err(format!("longer than {ATTRIBUTE_LIMIT} bytes"));
    }
    let bytes = page.get(..length).unwrap_or_default();
    let text = str::from_utf8(bytes).map_err(|_| "not a text")?;
    Ok(text.trim_end().to_owned())
}

fn number_of(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => u64::from_str(text),
    };
    number.map_err(|_| format!("'{}' is not a number", excerpt(text)))
}

/// The kernel gives an attribute that fits whole at the first read; asking whether there is more would be a second system
/// call for each of hundreds.
fn read_once(mut file: File, page: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(page) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn check_directory(name: &'static str, path: &Path, here: &Path) -> Result<(), RootError> {
    if here.is_dir() {
        return Ok(());
    }
    let seen = if here == path {
        String::new()
    } else {
        format!(" (looked at {})", here.display())
    };
    Err(RootError::NotADirectory {
        name,
        path: path.to_owned(),
        seen,
    })
}

/// The beginning of a text that came from outside, for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(32).flat_map(char::escape_default).collect()
}
