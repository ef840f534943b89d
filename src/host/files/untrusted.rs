//! Files below a directory whose owner is not to be trusted and may change it at any moment: a container's root, an unpacked
//! image. Each name is looked up in a directory that is held open, and no link is ever followed by the kernel: its text is
//! read and walked from the tree's own top, and `..` leads back to what is held. So nothing outside is reached, whatever is
//! swapped meanwhile, and on kernels without `openat2`, too. What was found is opened to be read only when it can do nothing
//! but hold bytes: a plain file of a file system for data, as opening a device, or reading a file of the kernel, does something.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::sys::statfs::fstatfs;

/// As the kernel follows them.
const LINK_LIMIT: usize = 40;
/// Names on the way to one file, those of links included; libraries are found in less than twenty.
const STEP_LIMIT: usize = 1024;
/// Directories in each other: each takes a file descriptor while a path is walked.
const DEPTH_LIMIT: usize = 128;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Its bytes, on a file system for data.
    Data,
    /// One value of sysfs (or of a file that stands for it), by its own name: no link.
    Attribute,
}

/// A tree, held by its top.
#[derive(Debug, Clone)]
pub struct Tree {
    top: Arc<OwnedFd>,
    /// Its path, as people call it.
    name: Arc<Path>,
    place: Place,
}

/// What is being looked at, for whoever waits.
#[derive(Debug, Clone, Default)]
pub struct Place(Arc<Mutex<(u64, PathBuf)>>);

impl Place {
    /// From now on this.
    pub fn enter(&self, path: &Path) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.0 += 1;
        path.clone_into(&mut place.1);
    }

    /// How many there were, and the last of them.
    pub fn last(&self) -> (u64, PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What stands at the end of a path, without having been opened.
#[derive(Debug)]
pub struct Found {
    /// Stands for the file.
    at: OwnedFd,
    /// What it is.
    pub status: FileStat,
    /// Its path in the tree, without links.
    pub real: PathBuf,
}

/// Whether a link at the end of a path is followed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Follow,
    Keep,
}

impl Tree {
    /// Takes hold of a directory, which people call `name`; its own path is walked as usual.
    pub fn open(top: &Path, name: &Path, place: &Place) -> io::Result<Self> {
        place.enter(name);
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let top = OpenOptions::new().read(true).custom_flags(flags.bits()).open(top)?;
        Ok(Self {
            top: Arc::new(top.into()),
            name: name.into(),
            place: place.clone(),
        })
    }

    /// Opens for reading, without waiting for anybody.
    pub fn read(&self, path: &Path, purpose: Purpose) -> io::Result<File> {
        let last = match purpose {
            Purpose::Data => LastLink::Follow,
            Purpose::Attribute => LastLink::Keep,
        };
        let found = self.walk(path, last, &mut |_, _| {}).map_err(|(_, error)| error)?;
        found.check(purpose)?;
        // A lease that somebody holds would stop us, were we to wait; and no file becomes our terminal.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let again = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(found.path());
        again.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other("/proc is needed to read it and is not mounted"),
            _ => error,
        })
    }

    /// The entries of a directory.
    pub fn entries(&self, path: &Path) -> io::Result<fs::ReadDir> {
        let found = self.find(path)?;
        if found.kind() != SFlag::S_IFDIR {
            return Err(Errno::ENOTDIR.into());
        }
        fs::read_dir(found.path())
    }

    /// What is there, with all links followed.
    pub fn find(&self, path: &Path) -> io::Result<Found> {
        self.walk(path, LastLink::Follow, &mut |_, _| {})
            .map_err(|(_, error)| error)
    }

    /// The same; tells of each link on the way with its target, and an error comes with the path at which it happened.
    pub fn find_telling(
        &self,
        path: &Path,
        on_link: &mut dyn FnMut(&Path, &Path),
    ) -> Result<Found, (PathBuf, io::Error)> {
        self.walk(path, LastLink::Follow, on_link)
    }

    /// Where a link points to.
    pub fn link_target(&self, path: &Path) -> io::Result<PathBuf> {
        let found = self.walk(path, LastLink::Keep, &mut |_, _| {});
        let found = found.map_err(|(_, error)| error)?;
        Ok(readlinkat(&found.at, "").map(PathBuf::from)?)
    }

    fn walk(
        &self,
        path: &Path,
        last: LastLink,
        on_link: &mut dyn FnMut(&Path, &Path),
    ) -> Result<Found, (PathBuf, io::Error)> {
        self.place
            .enter(&self.name.join(path.strip_prefix("/").unwrap_or(path)));
        let mut pending = reversed_names(path);
        // From the top down, each with its name.
        let mut held: Vec<(OsString, OwnedFd)> = Vec::new();
        let (mut links, mut steps) = (0, 0);
        let real = |held: &[(OsString, OwnedFd)]| {
            let names = held.iter().map(|(name, _)| name);
            names.fold(PathBuf::from("/"), |path, name| path.join(name))
        };
        while let Some(name) = pending.pop() {
            steps += 1;
            if steps > STEP_LIMIT || held.len() > DEPTH_LIMIT {
                return Err((path.to_owned(), io::Error::other("too many directories on the way")));
            }
            if name == ".." {
                held.pop();
                continue;
            }
            let next = || real(&held).join(&name);
            let parent = held.last().map_or_else(|| self.top.as_fd(), |(_, at)| at.as_fd());
            let at = step(parent, &name).map_err(|error| (next(), error))?;
            let kind = kind(&status(&at).map_err(|error| (next(), error))?);
            let is_last = pending.is_empty();
            if kind != SFlag::S_IFLNK || (is_last && last == LastLink::Keep) {
                held.push((name, at));
                continue;
            }
            links += 1;
            if links > LINK_LIMIT {
                let error = io::Error::other("too many levels of symbolic links");
                return Err((path.to_owned(), error));
            }
            let target = readlinkat(&at, "").map_err(|errno| (next(), errno.into()))?;
            let target = PathBuf::from(target);
            on_link(&next(), &target);
            if target.is_absolute() {
                held.clear();
            }
            pending.extend(reversed_names(&target));
        }
        let real = real(&held);
        let at = match held.pop() {
            Some((_, at)) => Ok(at),
            None => self.top.try_clone(),
        };
        let found = at.and_then(|at| {
            Ok(Found {
                status: status(&at)?,
                at,
                real: real.clone(),
            })
        });
        found.map_err(|error| (real, error))
    }
}

impl Found {
    fn kind(&self) -> SFlag {
        kind(&self.status)
    }

    /// Leads to this very file, whatever has its name by now.
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.at.as_raw_fd())
    }

    /// Whether it may be opened.
    fn check(&self, purpose: Purpose) -> io::Result<()> {
        if self.kind() != SFlag::S_IFREG {
            return Err(io::Error::other("not a regular file"));
        }
        match kernel_file_system(&self.at)? {
            Some("sysfs") if purpose == Purpose::Attribute => Ok(()),
            Some(name) => Err(of_the_kernel(name)),
            // Files of the kernel have no size. So an unknown file system of that kind does no harm either.
            None if self.status.st_size == 0 => Err(io::Error::other("an empty file")),
            None => Ok(()),
        }
    }
}

/// The name of the kernel's own file system that holds this file, if one does.
pub fn kernel_file_system(file: impl AsFd) -> io::Result<Option<&'static str>> {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is as wide as the architecture has it, and only 32 bits of it count"
    )]
    let system = fstatfs(file)?.filesystem_type().0 as u32;
    let mut known = OF_THE_KERNEL.iter();
    Ok(known.find(|(magic, _)| *magic == system).map(|(_, name)| *name))
}

/// Why a file of that file system is not read.
pub fn of_the_kernel(name: &str) -> io::Error {
    io::Error::other(format!("in a file system of the kernel ({name})"))
}

/// File systems whose files are not data but answers of the kernel: reading one may do something, take something away, or
/// wait. The numbers are in `linux/magic.h` and in each file system.
const OF_THE_KERNEL: [(u32, &str); 25] = [
    (0x6265_6572, "sysfs"),
    (0x9fa0, "proc"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0xf97c_ff8c, "selinux"),
    (0x4341_5d53, "smackfs"),
    (0x5a3c_69f0, "apparmorfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x0765_5821, "resctrl"),
    (0x1cd1, "devpts"),
    (0x1980_0202, "mqueue"),
    (0xcafe_4a11, "bpf"),
    (0x6265_6570, "configfs"),
    (0x6165_676c, "pstore"),
    (0xde5e_81e4, "efivarfs"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x6573_5543, "fusectl"),
    (0x6759_6969, "rpc_pipefs"),
    (0x6e66_7364, "nfsd"),
    (0x6e73_6673, "nsfs"),
    (0x6c6f_6f70, "binder"),
    (0xabba_1974, "xenfs"),
    (0x0187, "autofs"),
];

fn step(parent: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

fn status(at: &OwnedFd) -> io::Result<FileStat> {
    Ok(fstatat(at, "", AtFlags::AT_EMPTY_PATH)?)
}

fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT
}

fn reversed_names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.rev().collect()
}
