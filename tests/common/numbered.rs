//! Device nodes with numbers of their own, as the kernel gives them; those of the emulation all have the same. None is ever
//! opened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

/// `cxi0`, `cxi1` and so on of a host get these minor numbers.
pub fn host_nodes(root: &Path, minors: &[u64]) {
    for (number, minor) in minors.iter().enumerate() {
        let name = format!("cxi{number}");
        node(&root.join("dev").join(&name), *minor);
        let numbers = root.join("sys/class/cxi_user").join(&name).join("dev");
        fs::remove_file(&numbers).unwrap();
        fs::write(numbers, format!("1:{minor}\n")).unwrap();
    }
}

/// A character device of major number 1 for everybody, in place of what is there.
pub fn node(path: &Path, minor: u64) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mode = Mode::from_bits_truncate(0o666);
    mknod(path, SFlag::S_IFCHR, mode, makedev(1, minor)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
}
