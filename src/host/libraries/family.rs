//! The two families of files that containers get in any case.

use std::path::Path;

use crate::host::files::roots::Roots;

/// A family of files that belong to one library.
#[derive(Debug)]
pub struct Family {
    /// What their names begin with.
    pub name: &'static str,
    /// What programs ask for.
    pub soname: &'static str,
    /// Where HPE has it, beside where the loader looks.
    pub usual: &'static [&'static str],
}

pub const LIBFABRIC: Family = Family {
    name: "libfabric",
    soname: "libfabric.so.1",
    usual: &["/opt/cray/lib64", RELEASES],
};
pub const LIBCXI: Family = Family {
    name: "libcxi",
    soname: "libcxi.so.1",
    usual: &["/usr/lib64"],
};

/// Releases of libfabric that HPE installs beside each other, as `/opt/cray/libfabric/VERSION/lib64`.
pub const RELEASES: &str = "/opt/cray/libfabric";

impl Family {
    /// The directory that the site has set.
    pub fn set<'roots>(&self, roots: &'roots Roots) -> Option<&'roots Path> {
        let set = if self.name == LIBFABRIC.name {
            &roots.ofi
        } else {
            &roots.cxi
        };
        set.as_deref()
    }

    /// `libcxi.so`, `libcxi.so.1`, `libcxi.so.1.7.0`; not `libcxi.a`, `libcxi.la`, nor `libcxiutils.so`.
    pub fn includes(&self, name: &str) -> bool {
        let version = name.strip_prefix(self.name).and_then(|rest| rest.strip_prefix(".so"));
        version.is_some_and(|version| version.chars().all(|c| c == '.' || c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_objects_of_the_family_belong_to_it() {
        for name in ["libcxi.so", "libcxi.so.1", "libcxi.so.1.7.0"] {
            assert!(LIBCXI.includes(name), "{name}");
        }
        for name in [
            "libcxi.a",
            "libcxi.la",
            "libcxiutils.so",
            "libcxi.so.1-gdb.py",
            "xlibcxi.so",
            "libcxi",
        ] {
            assert!(!LIBCXI.includes(name), "{name}");
        }
    }
}
