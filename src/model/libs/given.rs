//! Which libraries are ours to give to containers, whatever brought them up: the lists, what they need, or a site's own.
//! Pure.

use std::path::{Component, Path, PathBuf};

use super::glibc;

/// As for file names.
const NAME_LIMIT: usize = 255;

/// Why no container gets a library under a name; none when one may.
pub fn refused_name(name: &str) -> Option<String> {
    let shown: String = name.chars().take(NAME_LIMIT).flat_map(char::escape_debug).collect();
    if name.is_empty() {
        Some("its name is empty".to_owned())
    } else if name == "." || name == ".." || name.contains('/') {
        Some(format!("'{shown}' is no file name"))
    } else if name.len() > NAME_LIMIT {
        Some(format!("its name is longer than {NAME_LIMIT} bytes"))
    } else if name.chars().any(char::is_control) {
        Some(format!("its name has control characters: '{shown}'"))
    } else if glibc::is_family(name) {
        Some(format!(
            "{shown} belongs to the C library: it goes with the image's loader, and the host's would stop every program of the image"
        ))
    } else {
        None
    }
}

/// The same for a library that was found by its family's name, such as `libcxi`.
pub fn refused_of_family(name: &str, family: &str) -> Option<String> {
    let is_other = || !name.starts_with(family);
    refused_name(name).or_else(|| is_other().then(|| format!("it calls itself {name}, which is none of {family}")))
}

/// The same for the path of a file, by its last name.
pub fn refused_path(path: &Path) -> Option<String> {
    let Some(text) = path.to_str() else {
        return Some("its path is not UTF-8, and a CDI spec is".to_owned());
    };
    if text.chars().any(char::is_control) {
        return Some("its path has control characters".to_owned());
    }
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) => refused_name(name),
        None => Some("it is no path of a file".to_owned()),
    }
}

/// The same for a path by which another library asks for one: a plain absolute path of a file that is called like a library.
pub fn refused_need(need: &str) -> Option<String> {
    let path = Path::new(need);
    let is_plain = |component: Component<'_>| matches!(component, Component::RootDir | Component::Normal(_));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !path.is_absolute() || need.contains('$') || !path.components().all(is_plain) {
        return Some("it is no plain absolute path".to_owned());
    }
    if !name.starts_with("lib") || !name.contains(".so") {
        return Some("it is not called like a library".to_owned());
    }
    refused_path(path)
}

/// A library of a site's own, by its path on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraLibrary(PathBuf);

impl ExtraLibrary {
    /// One that may be given; what it is called by itself shows when it is read.
    ///
    /// # Errors
    /// Why it may not.
    pub fn new(path: PathBuf) -> Result<Self, String> {
        match refused_path(&path) {
            Some(reason) => Err(reason),
            None => Ok(Self(path)),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_outside_glibc_are_given() {
        for name in [
            "libfabric.so.1",
            "libcxi.so",
            "libgdrapi.so.2",
            "libstdc++.so.6",
            "lib ü.so",
        ] {
            assert_eq!(refused_name(name), None, "{name}");
        }
        let long = "l".repeat(256);
        for (name, part) in [
            ("", "empty"),
            (".", "no file name"),
            ("..", "no file name"),
            ("../libx.so", "no file name"),
            ("/etc/ld.so.preload", "no file name"),
            ("libx\n.so", "control characters: 'libx\\n.so'"),
            ("libx\u{1b}[2J.so", "control characters"),
            ("libx\u{85}.so", "control characters"),
            (long.as_str(), "longer than 255"),
            ("libc.so.6", "C library"),
            ("libc-2.31.so", "C library"),
            ("ld-linux-x86-64.so.2", "C library"),
            ("ld-2.31.so", "C library"),
            ("ld-musl-x86_64.so.1", "C library"),
            ("libpthread.so.0", "C library"),
        ] {
            let refused = refused_name(name).unwrap_or_default();
            assert!(refused.contains(part), "{name}: {refused}");
        }
    }

    #[test]
    fn a_need_by_its_path_is_one_of_a_library() {
        assert_eq!(refused_need("/nix/store/x-libcxi/lib/libcxi.so.1"), None);
        for need in [
            "lib/libcxi.so.1",
            "/x/../libcxi.so.1",
            "$ORIGIN/libcxi.so.1",
            "/etc/ld.so.preload",
            "/etc/passwd",
            "/lib64/libc.so.6",
        ] {
            assert!(refused_need(need).is_some(), "{need}");
        }
    }

    #[test]
    fn a_path_is_judged_by_its_last_name_and_its_text() {
        assert_eq!(refused_path(Path::new("/x/libx.so")), None);
        for path in ["/x/libc.so.6", "/x\n/libx.so", "/x/..", "/"] {
            assert!(refused_path(Path::new(path)).is_some(), "{path}");
        }
    }
}
