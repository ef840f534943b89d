//! A device node that is a NIC's for certain. Any file takes a write, and /dev/null takes a command with a success that means
//! nothing: so before one byte is written, the open file must be the character device that class `cxi_user` names.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NOCTTY, O_NONBLOCK};
use nix::sys::stat::{major, minor};

use super::driver::Driver;
use super::exchange::exchange;
use crate::host::files::roots::Roots;
use crate::model::nic::attributes::CxiName;
use crate::model::services::abi::Request;
use crate::model::services::refused::Refused;

/// The open node of a NIC. Closing it ends what was made through it, but not services.
#[derive(Debug)]
pub struct Node {
    file: File,
}

impl Node {
    /// Opens it, and makes sure that it is the NIC's.
    ///
    /// # Errors
    /// It is not there, may not be opened, or is something else.
    pub fn open(roots: &Roots, name: CxiName) -> Result<Self, Refused> {
        let path = roots.dev.join(name.to_string());
        let refused = |reason: &str| Refused::Node(format!("{}: {reason}", path.display()));
        let attribute = roots.sysfs.join("class/cxi_user").join(name.to_string()).join("dev");
        let expected = roots
            .text(&attribute)
            .map_err(|error| Refused::Node(format!("class cxi_user does not name the node's numbers: {error}")))?;
        let local = roots.local_path(&path);
        let is_it = |metadata: &fs::Metadata| {
            if !metadata.file_type().is_char_device() {
                return Err(refused("not a character device"));
            }
            let numbers = format!("{}:{}", major(metadata.rdev()), minor(metadata.rdev()));
            if numbers == expected {
                Ok(())
            } else {
                Err(refused(&format!(
                    "a stale node: it is {numbers}, the driver's is {expected}"
                )))
            }
        };
        let failed = |error: std::io::Error| refused(&error.to_string());
        // Before it is opened, as opening another device can do something; and after, as the path may have changed.
        is_it(&fs::metadata(&local).map_err(failed)?)?;
        let mut how = OpenOptions::new();
        how.read(true)
            .write(true)
            .custom_flags(O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        let file = how.open(&local).map_err(failed)?;
        is_it(&file.metadata().map_err(failed)?)?;
        Ok(Self { file })
    }
}

impl Driver for Node {
    fn exchange(&self, request: &Request, answer: &mut [u8], list: &mut [u8]) -> Result<(), Errno> {
        let written = exchange(self.file.as_fd(), request, answer, list)?;
        // The driver takes all of a command or none of it; another number is no driver's.
        if written == request.command().shape().size {
            Ok(())
        } else {
            Err(Errno::EPROTO)
        }
    }
}
