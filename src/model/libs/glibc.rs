//! What belongs to glibc, which versions it has, and which other libraries images bring themselves. Pure.

use std::cmp::Ordering;
use std::fmt;

use super::loader::Object;

/// The libraries of glibc itself, without `lib` and version. They go with the loader, which is the image's, so they can
/// only be the image's, too.
const FAMILY: [&str; 17] = [
    "c",
    "m",
    "pthread",
    "dl",
    "rt",
    "resolv",
    "nsl",
    "util",
    "anl",
    "mvec",
    "thread_db",
    "BrokenLocale",
    "c_malloc_debug",
    "memusage",
    "pcprofile",
    "SegFault",
    "cidn",
];

/// What images are likely to have, without version: the compiler's own, and what curl, TLS and Kerberos bring. One of
/// these from the host would stand in the way of the image's programs.
const LIKELY: [&str; 47] = [
    "libssl",
    "libcrypto",
    "libcurl",
    "libcurl-gnutls",
    "libstdc++",
    "libgcc_s",
    "libgomp",
    "libgfortran",
    "libquadmath",
    "libz",
    "libzstd",
    "liblzma",
    "libbz2",
    "libbrotlicommon",
    "libbrotlidec",
    "libnghttp2",
    "libidn2",
    "libunistring",
    "libssh",
    "libssh2",
    "libpsl",
    "librtmp",
    "libcares",
    "libgssapi_krb5",
    "libkrb5",
    "libk5crypto",
    "libkrb5support",
    "libcom_err",
    "libkeyutils",
    "libldap",
    "libldap-2.5",
    "libldap_r-2.4",
    "liblber",
    "liblber-2.5",
    "libsasl2",
    "libgnutls",
    "libnettle",
    "libhogweed",
    "libgmp",
    "libp11-kit",
    "libtasn1",
    "libffi",
    "libselinux",
    "libpcre",
    "libpcre2-8",
    "libuuid",
    "libsystemd",
];

/// Whether a library is glibc's own, loader included.
pub fn is_family(name: &str) -> bool {
    let stem = without_release(stem(name));
    let library = stem.strip_prefix("lib").unwrap_or_default();
    FAMILY.contains(&library)
        || library.starts_with("nss_")
        || library.starts_with("c.musl-")
        || ["ld-linux", "ld-lsb", "ld-musl"]
            .iter()
            .any(|loader| stem.starts_with(loader))
        || stem == "ld64"
        || stem == "ld"
}

/// Files had the release in their names until 2.34: `libc-2.31.so`, `ld-2.31.so`.
fn without_release(stem: &str) -> &str {
    match stem.rsplit_once('-') {
        Some((name, release)) if release.contains('.') && release.chars().all(|c| c == '.' || c.is_ascii_digit()) => {
            name
        }
        _ => stem,
    }
}

/// Whether an image is likely to have this library itself.
pub fn is_likely_in_images(name: &str) -> bool {
    LIKELY.contains(&stem(name))
}

/// `libfoo` of `libfoo.so.1.2`; a path has none.
fn stem(name: &str) -> &str {
    name.split_once(".so").map_or(name, |(stem, _)| stem)
}

/// A version of glibc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Vec<u32>);

impl Version {
    /// Of a symbol version such as `GLIBC_2.2.5`; none for `GLIBC_PRIVATE` and other libraries' versions.
    pub fn from_symbol(version: &str) -> Option<Self> {
        // Libraries with packed relocations ask for this, and 2.36 is the first to know them (its NEWS).
        if version == "GLIBC_ABI_DT_RELR" {
            return Some(Self(vec![2, 36]));
        }
        let numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        Some(Self(numbers.collect::<Result<_, _>>().ok()?))
    }

    /// The highest that a library asks for.
    pub fn required(object: &Object) -> Option<Self> {
        let strong = object.requires.iter().filter(|requirement| !requirement.weak);
        strong
            .filter_map(|requirement| Self::from_symbol(&requirement.version))
            .max()
    }

    /// The highest that a library has.
    pub fn defined(object: &Object) -> Option<Self> {
        object
            .defines
            .iter()
            .filter_map(|version| Self::from_symbol(version))
            .max()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_foreign_ones_are_none() {
        let version = |text| Version::from_symbol(text);
        assert!(version("GLIBC_2.34") > version("GLIBC_2.4"));
        assert!(version("GLIBC_2.3.4") > version("GLIBC_2.3"));
        assert_eq!(version("GLIBC_2.34").unwrap().to_string(), "2.34");
        assert_eq!(version("GLIBC_ABI_DT_RELR").unwrap().to_string(), "2.36");
        for text in ["GLIBC_PRIVATE", "GLIBC_", "GLIBC_2.x", "OPENSSL_3.0.0", "GLIBCXX_3.4"] {
            assert_eq!(version(text), None, "{text}");
        }
    }

    #[test]
    fn the_family_is_glibc_s_alone() {
        for name in [
            "libc.so.6",
            "libm.so.6",
            "libpthread.so.0",
            "libnss_files.so.2",
            "ld-linux-x86-64.so.2",
            "ld-linux-aarch64.so.1",
            "libBrokenLocale.so.1",
            "libc-2.31.so",
            "ld-2.31.so",
            "ld-musl-x86_64.so.1",
            "libc.musl-x86_64.so.1",
        ] {
            assert!(is_family(name), "{name}");
        }
        for name in [
            "libcxi.so.1",
            "libcurl.so.4",
            "libmlx5.so.1",
            "libdlm.so.3",
            "librt2.so",
            "libnss3.so",
            "libnl-3.so.200",
            "liblber-2.5.so.0",
            "libc-client.so.2007",
        ] {
            assert!(!is_family(name), "{name}");
        }
        assert!(is_likely_in_images("libstdc++.so.6"));
        assert!(!is_likely_in_images("libnl-3.so.200"));
    }
}
