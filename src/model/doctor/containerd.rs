//! What containerd's configuration says of CDI. Other keys are of no matter here, and may be secrets.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Where the CRI plugin has its settings, by version of the configuration.
const CRI: [&str; 3] = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"];

/// The part of a configuration file that matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerdSettings {
    /// Of the file's format; none where it is not given.
    pub version: Option<i64>,
    /// Files that are read after this one, as they are written there: absolute or not, with `*`.
    pub imports: Vec<PathBuf>,
    /// Whether the CRI plugin, which kubelet talks to, is off.
    pub is_cri_off: bool,
    /// `enable_cdi`, where it is given.
    pub enable_cdi: Option<bool>,
    /// `cdi_spec_dirs`, where it is given.
    pub cdi_spec_dirs: Option<Vec<PathBuf>>,
}

/// Reads one file.
///
/// # Errors
/// Not TOML: its first line says where.
pub fn read(text: &str) -> Result<ContainerdSettings, String> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let plugins = table.get("plugins").and_then(Value::as_table);
    let of_cri = |key: &str| plugins.and_then(|plugins| CRI.iter().rev().find_map(|cri| plugins.get(*cri)?.get(key)));
    let disabled = table.get("disabled_plugins").map(texts).unwrap_or_default();
    Ok(ContainerdSettings {
        version: table.get("version").and_then(Value::as_integer),
        imports: table
            .get("imports")
            .map(texts)
            .unwrap_or_default()
            .into_iter()
            .map(PathBuf::from)
            .collect(),
        is_cri_off: disabled.iter().any(|plugin| CRI.contains(&plugin.as_str())),
        enable_cdi: of_cri("enable_cdi").and_then(Value::as_bool),
        cdi_spec_dirs: of_cri("cdi_spec_dirs").map(|dirs| texts(dirs).into_iter().map(PathBuf::from).collect()),
    })
}

fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl ContainerdSettings {
    /// These settings with those of an imported file, which win.
    pub fn then(self, imported: Self) -> Self {
        Self {
            version: self.version.or(imported.version),
            imports: self.imports,
            is_cri_off: self.is_cri_off || imported.is_cri_off,
            enable_cdi: imported.enable_cdi.or(self.enable_cdi),
            cdi_spec_dirs: imported.cdi_spec_dirs.or(self.cdi_spec_dirs),
        }
    }

    /// Whether CDI names are honoured. Without a word, from version 3 on, which only containerd 2 reads.
    pub fn is_cdi_on(&self) -> bool {
        self.enable_cdi
            .unwrap_or(self.version.is_some_and(|version| version >= 3))
    }

    /// The same as a file, without anything else that the original has.
    pub fn to_toml(&self) -> String {
        let paths =
            |paths: &[PathBuf]| Value::from(paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>());
        let mut table = Table::new();
        table.extend(self.version.map(|version| ("version".to_owned(), version.into())));
        if !self.imports.is_empty() {
            table.insert("imports".to_owned(), paths(&self.imports));
        }
        if self.is_cri_off {
            table.insert("disabled_plugins".to_owned(), vec![CRI[1]].into());
        }
        let mut cri = Table::new();
        cri.extend(self.enable_cdi.map(|on| ("enable_cdi".to_owned(), on.into())));
        let dirs = self.cdi_spec_dirs.as_deref().map(paths);
        cri.extend(dirs.map(|dirs| ("cdi_spec_dirs".to_owned(), dirs)));
        if !cri.is_empty() {
            let plugins = Table::from_iter([(CRI[1].to_owned(), Value::Table(cri))]);
            table.insert("plugins".to_owned(), plugins.into());
        }
        table.to_string()
    }
}

/// Whether a file name fits an import's last part, in which `*` stands for anything.
pub fn fits(pattern: &Path, name: &str) -> bool {
    let pattern = pattern
        .file_name()
        .and_then(|pattern| pattern.to_str())
        .unwrap_or_default();
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_found_in_each_version_of_the_format() {
        for (text, is_on) in [
            ("", false),
            ("version = 2", false),
            ("version = 3", true),
            ("[plugins.cri]\nenable_cdi = true", true),
            (
                "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nenable_cdi = true",
                true,
            ),
            (
                "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\nenable_cdi = false",
                false,
            ),
            (
                "version = 3\n[plugins.'io.containerd.cri.v1.images']\nenable_cdi = false",
                true,
            ),
        ] {
            let settings = read(text).unwrap();
            assert_eq!(settings.is_cdi_on(), is_on, "{text}");
            assert_eq!(read(&settings.to_toml()), Ok(settings), "{text}");
        }
        assert!(read("version = ").is_err());
    }

    #[test]
    fn an_imported_file_wins() {
        let main = read("version = 2\nimports = ['conf.d/*.toml']").unwrap();
        let dropin = read("[plugins.'io.containerd.grpc.v1.cri']\nenable_cdi = true\ncdi_spec_dirs = ['/x']").unwrap();
        let both = main.then(dropin);
        assert!(both.is_cdi_on());
        assert_eq!(both.cdi_spec_dirs, Some(vec!["/x".into()]));
        assert_eq!(both.imports, [PathBuf::from("conf.d/*.toml")]);
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, fit) in [
            ("/etc/x/*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("a*a", "a", false),
            ("a.toml", "a.toml", true),
            ("a.toml", "b.toml", false),
        ] {
            assert_eq!(fits(Path::new(pattern), name), fit, "{pattern} {name}");
        }
    }
}
