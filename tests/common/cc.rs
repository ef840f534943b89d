//! Real libraries, made by the C compiler, which every machine that builds this project has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A library to be made.
pub struct Library<'a> {
    /// One without a version is only the file's name: then the library has none of its own, as plugins do.
    pub soname: &'a str,
    /// Files of libraries that it needs.
    pub needs: &'a [&'a Path],
    /// Further arguments of the compiler.
    pub flags: &'a [&'a str],
    /// Versions, each with a function of the same name in lower case.
    pub versions: &'a [&'a str],
    /// Functions that it calls.
    pub calls: &'a [&'a str],
}

pub const PLAIN: Library<'static> = Library {
    soname: "",
    needs: &[],
    flags: &[],
    versions: &[],
    calls: &[],
};

/// The function that stands for a version.
pub fn function(version: &str) -> String {
    version.to_lowercase().replace(['.', '+'], "_")
}

impl Library<'_> {
    /// Makes it in `directory` under its soname. There is no C library in it, unless it is among the needs.
    pub fn make(&self, directory: &Path) -> PathBuf {
        fs::create_dir_all(directory).unwrap();
        let scratch = TempDir::new().unwrap();
        let source = scratch.path().join("source.c");
        let script = scratch.path().join("versions");
        let mut code = format!(
            "const char *mark_{}(void) {{ return \"\"; }}\n",
            function(self.soname).replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        );
        let mut versions = String::new();
        for version in self.versions {
            code += &format!("void {}(void) {{}}\n", function(version));
            versions += &format!("{version} {{ global: {}; }};\n", function(version));
        }
        for called in self.calls {
            code += &format!("void {called}(void); void call_{called}(void) {{ {called}(); }}\n");
        }
        fs::write(&source, code).unwrap();
        fs::write(&script, versions).unwrap();
        let file = directory.join(self.soname);
        let mut cc = Command::new("cc");
        cc.args([
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed",
            "-Wl,--allow-shlib-undefined",
        ]);
        if !self.soname.ends_with(".so") {
            cc.arg(format!("-Wl,-soname,{}", self.soname));
        }
        cc.arg("-o").arg(&file).arg(&source);
        if !self.versions.is_empty() {
            cc.arg(format!("-Wl,--version-script={}", script.display()));
        }
        cc.args(self.flags).args(self.needs);
        let output = cc.output().unwrap();
        assert!(
            output.status.success(),
            "{cc:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        file
    }
}

/// What `ldd` says of a library: each name with its file, or none where it was not found; without the loader and the vDSO.
pub fn ldd(file: &Path) -> Vec<(String, Option<PathBuf>)> {
    let output = Command::new("ldd").arg(file).env("LC_ALL", "C").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.trim().split_once(" => "));
    let found = |path: &str| (path != "not found").then(|| path.split_whitespace().next().unwrap().into());
    lines.map(|(name, path)| (name.to_owned(), found(path))).collect()
}
