//! What lies outside the directory that is attacked, and a witness of everything that is done to it: inotify, which works for
//! everybody, on each file and directory; a copy of content and metadata; a pipe with something in it; a socket that listens.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use inotify::{Inotify, WatchDescriptor, WatchMask};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// Never in what a program says.
pub const SECRET: &str = "only-for-those-who-may-read-this";
const IN_THE_PIPE: &[u8] = b"still to be read by somebody else\n";
/// A whole spec of somebody else's.
const SPEC: &str = "spec.yaml";

/// A folder that nobody has any business in.
pub struct Outside {
    pub folder: PathBuf,
    before: Vec<(PathBuf, String, Vec<u8>)>,
    inotify: Inotify,
    watched: HashMap<WatchDescriptor, PathBuf>,
    pipe: File,
    listener: UnixListener,
}

impl Outside {
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("directory/deeper")).unwrap();
        let secret = format!("{{ {SECRET}: [\n");
        for file in [
            "secret",
            "directory/secret.yaml",
            "directory/status.json",
            "directory/deeper/secret",
        ] {
            fs::write(folder.join(file), &secret).unwrap();
        }
        let spec =
            "cdiVersion: 0.5.0\nkind: acme.example/nic\ndevices:\n- name: one\n  containerEdits:\n    env: [A=1]\n";
        fs::write(folder.join(SPEC), spec).unwrap();
        nix::unistd::mkfifo(&folder.join("pipe"), Mode::S_IRWXU).unwrap();
        let listener = UnixListener::bind(folder.join("socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        symlink("secret", folder.join("link")).unwrap();
        // Only root may make one, and only where devices may be; that is found out before anybody watches.
        let null = folder.join("device");
        let _ = mknod(&null, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3));
        if File::open(&null).is_err() {
            let _ = fs::remove_file(&null);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
        let mut pipe = options.open(folder.join("pipe")).unwrap();
        pipe.write_all(IN_THE_PIPE).unwrap();

        let before = copy(&folder);
        let inotify = Inotify::init().unwrap();
        let mut watched = HashMap::new();
        let paths = before.iter().map(|(path, ..)| path).filter(|path| !path.is_symlink());
        for path in paths.chain([&folder]) {
            let mask = WatchMask::ALL_EVENTS | WatchMask::DONT_FOLLOW;
            watched.insert(inotify.watches().add(path, mask).unwrap(), path.clone());
        }
        Self {
            folder,
            before,
            inotify,
            watched,
            pipe,
            listener,
        }
    }

    /// Everything that a link may lead to.
    pub fn targets(&self) -> Vec<PathBuf> {
        let paths = self.before.iter().map(|(path, ..)| path.clone());
        paths
            .chain([self.folder.clone(), self.folder.join("not/there")])
            .collect()
    }

    /// What was done so far: the kernel keeps it for us.
    pub fn seen(&mut self) -> Vec<(PathBuf, String)> {
        let (mut seen, mut buffer) = (Vec::new(), [0; 1 << 16]);
        loop {
            let events = match self.inotify.read_events(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return seen,
                events => events.unwrap(),
            };
            for event in events {
                let path = self.watched.get(&event.wd).cloned().unwrap_or_default();
                let path = event.name.map_or(path.clone(), |name| path.join(name));
                seen.push((path, format!("{:?}", event.mask)));
            }
        }
    }

    /// Nothing was opened, changed or drained, nor connected to. This looks by itself, so it is the end.
    pub fn assert_untouched(mut self) {
        let seen = self.seen();
        assert!(seen.is_empty(), "done outside: {seen:#?}");
        assert_eq!(copy(&self.folder), self.before);
        let mut left = Vec::new();
        let _ = self.pipe.read_to_end(&mut left);
        assert_eq!(left, IN_THE_PIPE, "what was in the pipe");
        let connected = self.listener.accept().map(drop).unwrap_err();
        assert_eq!(connected.kind(), ErrorKind::WouldBlock);
        // And the witness was awake all the time.
        File::open(self.folder.join("secret")).unwrap();
        assert!(!self.seen().is_empty(), "the witness is blind");
    }
}

/// All there is below a folder: what it is, and what is in it.
fn copy(folder: &Path) -> Vec<(PathBuf, String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let of = fs::symlink_metadata(&path).unwrap();
        let text = format!(
            "mode {:o} inode {} owner {}:{} links {} size {} device {} mtime {}.{} ctime {}.{}",
            of.mode(),
            of.ino(),
            of.uid(),
            of.gid(),
            of.nlink(),
            // Of a pipe it is no size.
            if of.file_type().is_fifo() { 0 } else { of.size() },
            of.rdev(),
            of.mtime(),
            of.mtime_nsec(),
            of.ctime(),
            of.ctime_nsec(),
        );
        let content = if of.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        if of.is_dir() {
            all.extend(copy(&path));
        }
        all.push((path, text, content));
    }
    all.sort();
    all
}
