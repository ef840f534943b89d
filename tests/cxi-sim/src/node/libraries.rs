//! The host's libraries: those that a container needs, and neighbours that it must not get.

use super::elf::shared_object;
use super::error::Result;
use super::tree::{Tree, make_directories, make_link, write_file};

/// Shared objects: directory, file, soname, and what they need. File names as libtool gives them.
const SHARED: [(&str, &str, &str, &[&str]); 3] = [
    ("usr/lib64", "libcxi.so.1.7.0", "libcxi.so.1", &["libc.so.6"]),
    (
        "usr/lib64",
        "libcxiutils.so.1",
        "libcxiutils.so.1",
        &["libcxi.so.1", "libc.so.6"],
    ),
    (
        "opt/cray/lib64",
        "libfabric.so.1.30.0",
        "libfabric.so.1",
        &["libcxi.so.1", "libc.so.6"],
    ),
];

/// Links beside them: directory, link, target.
const LINKS: [(&str, &str, &str); 4] = [
    ("usr/lib64", "libcxi.so.1", "libcxi.so.1.7.0"),
    ("usr/lib64", "libcxi.so", "libcxi.so.1.7.0"),
    ("opt/cray/lib64", "libfabric.so.1", "libfabric.so.1.30.0"),
    ("opt/cray/lib64", "libfabric.so", "libfabric.so.1.30.0"),
];

/// Build-time files with similar names, which are no use to a container; so is libcxiutils, for HPE's tools only.
const DECOYS: [(&str, &str, &str); 2] = [
    (
        "usr/lib64",
        "libcxi.la",
        "# libcxi.la - a libtool library file\ndlname='libcxi.so.1'\n",
    ),
    ("opt/cray/lib64", "libfabric.a", "!<arch>\n"),
];

/// Writes them all.
pub(super) fn install(tree: &Tree) -> Result<()> {
    for directory in ["usr/lib64", "opt/cray/lib64"] {
        make_directories(&tree.root().join(directory))?;
    }
    for (directory, file, soname, needed) in SHARED {
        write_file(
            &tree.root().join(directory).join(file),
            0o755,
            &shared_object(soname, needed),
        )?;
    }
    for (directory, link, target) in LINKS {
        make_link(target, &tree.root().join(directory).join(link))?;
    }
    for (directory, file, content) in DECOYS {
        write_file(&tree.root().join(directory).join(file), 0o644, content.as_bytes())?;
    }
    Ok(())
}
