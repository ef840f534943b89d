//! The loader of an unpacked image: whose it is, and where it looks.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use super::closure::{self, LibraryTree};
use super::elf;
use crate::host::files::roots::Roots;
use crate::model::libs::glibc::Version;
use crate::model::libs::image::Libc;
use crate::model::libs::loader::{Candidate, Disk, Kind, Search};

#[cfg(target_arch = "x86_64")]
const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";
#[cfg(target_arch = "aarch64")]
const GLIBC: &str = "/lib/ld-linux-aarch64.so.1";

/// A loader is a few hundred kilobytes.
const LOADER_LIMIT: u64 = 8 << 20;
const PATH_FILE_LIMIT: u64 = 65_536;

/// Programs that name the image's loader where it is at no usual place.
const PROGRAMS: [&str; 4] = ["/bin/sh", "/usr/bin/env", "/bin/bash", "/run/current-system/sw/bin/sh"];

/// The C library of an image, and where its loader looks with this LD_LIBRARY_PATH. The loader is the one that `program` names,
/// or the image's.
pub fn inspect(image: &Roots, library_path: &str, program: Option<&Path>) -> (Libc, Search) {
    let mut search = Search {
        library_path: directories(library_path),
        ..closure::search()
    };
    let musl = PathBuf::from(format!("/lib/ld-musl-{ARCH}.so.1"));
    let is_there = |path: &PathBuf| image.resolve(path).is_ok();
    let named = program.and_then(|program| named_by(image, program)).filter(is_there);
    let usual = || [PathBuf::from(GLIBC), musl].into_iter().find(is_there);
    let by_others = || {
        PROGRAMS
            .iter()
            .filter_map(|program| named_by(image, Path::new(program)))
            .find(is_there)
    };
    let Some(loader) = named.or_else(usual).or_else(by_others) else {
        return (Libc::None, search);
    };
    if file_name(&loader).starts_with("ld-musl-") {
        search.kind = Kind::Musl;
        search.defaults = musl_defaults(image);
        return (Libc::Musl, search);
    }
    let real = image.resolve(&loader).unwrap_or_else(|_| loader.clone());
    let Ok(bytes) = image.bytes(&real, LOADER_LIMIT) else {
        return (Libc::None, search);
    };
    let built_in: Vec<PathBuf> = search
        .defaults
        .iter()
        .filter(|directory| names(&bytes, directory))
        .cloned()
        .collect();
    if !built_in.is_empty() {
        search.defaults = built_in;
    } else if let Some(own) = real.parent().filter(|own| !is_usual(image, own, &search)) {
        // That of a store looks beside itself, and into no cache of the system.
        search.defaults = vec![own.to_owned()];
        search.has_cache = false;
    }
    let in_search = |lib: &String| search.defaults.contains(&Path::new("/usr").join(lib));
    let lib = search.lib.iter().find(|lib| in_search(lib)).cloned();
    search.lib = vec![lib.unwrap_or_else(|| "lib".to_owned())];
    let soname = match closure::look(image, &loader) {
        Candidate::Library(object) => object.soname,
        _ => None,
    };
    search.itself = Some((soname.unwrap_or_else(|| file_name(&loader)), loader));
    (Libc::Glibc(version(image, &search)), search)
}

/// The loader that a program of the image names.
fn named_by(image: &Roots, program: &Path) -> Option<PathBuf> {
    let loader = PathBuf::from(elf::interpreter(image.open_plain(program).ok()?)?);
    let name = file_name(&loader);
    (name.starts_with("ld-linux") || name.starts_with("ld-musl-")).then_some(loader)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a directory is one that loaders of systems have, by any name.
fn is_usual(image: &Roots, directory: &Path, search: &Search) -> bool {
    let mut defaults = search.defaults.iter();
    defaults.any(|default| default == directory || image.resolve(default).is_ok_and(|real| real == directory))
}

/// The directories of a path variable; one that is not absolute depends on where a program is started, and is left out.
pub fn directories(variable: &str) -> Vec<PathBuf> {
    let directories = variable.split([':', ';']).map(PathBuf::from);
    directories.filter(|directory| directory.is_absolute()).collect()
}

/// Whether a directory is among those built into glibc's loader, which has them as texts that end in a slash (`system_dirs`).
fn names(loader: &[u8], directory: &Path) -> bool {
    let text = format!("\0{}/\0", directory.display());
    loader.windows(text.len()).any(|window| window == text.as_bytes())
}

fn version(image: &Roots, search: &Search) -> Option<Version> {
    let mut disk = LibraryTree::new(image);
    let cached = if search.has_cache {
        disk.cached("libc.so.6")
    } else {
        Vec::new()
    };
    let mut paths = cached
        .into_iter()
        .chain(search.defaults.iter().map(|directory| directory.join("libc.so.6")));
    paths.find_map(|path| match disk.look(&path) {
        Candidate::Library(object) => Version::defined(&object),
        _ => None,
    })
}

/// Built into musl's loader, unless a file says otherwise (`ldso/dynlink.c`, `load_library`).
fn musl_defaults(image: &Roots) -> Vec<PathBuf> {
    let file = image.resolve(Path::new(&format!("/etc/ld-musl-{ARCH}.path")));
    let text = file.and_then(|file| image.bytes(&file, PATH_FILE_LIMIT)).ok();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.unwrap_or_else(|| "/lib:/usr/local/lib:/usr/lib".to_owned());
    text.split([':', '\n'])
        .map(PathBuf::from)
        .filter(|directory| directory.is_absolute())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::libraries::elf::TRIPLET;

    #[test]
    fn only_a_whole_directory_is_built_in() {
        let loader = format!("x\0/lib/{TRIPLET}/\0/usr/lib/{TRIPLET}/\0/lib/\0/usr/lib/\0");
        let has = |directory: &str| names(loader.as_bytes(), Path::new(directory));
        assert!(has(&format!("/usr/lib/{TRIPLET}")) && has("/lib") && has("/usr/lib"));
        assert!(!has("/usr/lib64") && !has("/lib64"));
        assert!(!names(b"\0/usr/lib/\0", Path::new("/lib")));
    }
}
