//! A directory that is held: what is done in it is done there, whatever is put in the place of its name meanwhile.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The directory, and the name by which people know it.
#[derive(Debug)]
pub struct HeldDir {
    directory: File,
    name: PathBuf,
}

impl HeldDir {
    /// Holds it. The last name of the path leads nowhere else: a link there is an error.
    ///
    /// # Errors
    /// What is there is no directory, or what the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = nix::libc::O_PATH | nix::libc::O_NOFOLLOW;
        let directory = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let kind = directory.metadata()?.file_type();
        if kind.is_symlink() {
            return Err(io::Error::other("is a symbolic link"));
        } else if !kind.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            directory,
            name: path.to_owned(),
        })
    }

    /// By this path the system finds the directory as long as this value lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd()))
    }

    /// A message about something at [`path`](Self::path), with the name that people know.
    pub fn named(&self, message: &str) -> String {
        message.replace(&*self.path().to_string_lossy(), &self.name.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_stands_at_the_name_meanwhile_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let [ours, outside, link] = ["ours", "outside", "link"].map(|name| scratch.path().join(name));
        fs::create_dir(&ours).unwrap();
        fs::create_dir(&outside).unwrap();
        let held = HeldDir::open(&ours).unwrap();
        fs::rename(&ours, scratch.path().join("moved")).unwrap();
        symlink(&outside, &ours).unwrap();
        fs::write(held.path().join("file"), "x").unwrap();
        assert!(scratch.path().join("moved/file").exists() && !outside.join("file").exists());
        let said = held.named(&format!("cannot write {}", held.path().join("file").display()));
        assert_eq!(said, format!("cannot write {}", ours.join("file").display()));
        symlink(&outside, &link).unwrap();
        fs::write(scratch.path().join("file"), "x").unwrap();
        for no_directory in [link, scratch.path().join("file"), scratch.path().join("missing")] {
            assert!(HeldDir::open(&no_directory).is_err());
        }
    }
}
