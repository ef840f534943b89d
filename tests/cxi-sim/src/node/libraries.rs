//! The host's libraries: those that a container needs, and neighbours that it must not get.

use std::path::Path;

use super::elf::shared_object;
use super::error::Result;
use super::tree::{Tree, make_directories, make_link, remove_file, write_file};

const LIBFABRIC: &str = "libfabric.so.1.30.0";
const LIBFABRIC_NEEDS: [&str; 2] = ["libcxi.so.1", "libc.so.6"];

/// Shared objects: directory, file, soname, and what they need. File names as libtool gives them.
const SHARED: [(&str, &str, &str, &[&str]); 3] = [
    ("usr/lib64", "libcxi.so.1.7.0", "libcxi.so.1", &["libc.so.6"]),
    (
        "usr/lib64",
        "libcxiutils.so.1",
        "libcxiutils.so.1",
        &["libcxi.so.1", "libc.so.6"],
    ),
    ("opt/cray/lib64", LIBFABRIC, "libfabric.so.1", &LIBFABRIC_NEEDS),
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

/// Makes libfabric need further libraries, in a directory that every loader searches, until there are `total` of them with
/// libfabric and libcxi: a tree, in which each needs two others.
pub(super) fn grow(tree: &Tree, total: usize) -> Result<()> {
    let count = total.saturating_sub(2);
    let soname = |number: usize| format!("libneeded{number}.so.1");
    let needed_by = |numbers: std::ops::Range<usize>| numbers.filter(|number| *number < count).map(soname);
    let mut needed: Vec<String> = LIBFABRIC_NEEDS.map(str::to_owned).into();
    needed.extend(needed_by(0..1));
    let libfabric = tree.root().join("opt/cray/lib64").join(LIBFABRIC);
    remove_file(&libfabric)?;
    write_library(&libfabric, "libfabric.so.1", &needed)?;
    for number in 0..count {
        let needed: Vec<String> = needed_by(2 * number + 1..2 * number + 3).collect();
        write_library(
            &tree.root().join("usr/lib64").join(soname(number)),
            &soname(number),
            &needed,
        )?;
    }
    Ok(())
}

fn write_library(path: &Path, soname: &str, needed: &[String]) -> Result<()> {
    let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
    write_file(path, 0o755, &shared_object(soname, &needed))
}

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
