//! The program with a configuration in a folder of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::common::{Output, scratch};
use serde_json::Value;
use tempfile::TempDir;

pub struct Program {
    folder: TempDir,
}

impl Program {
    /// With this text as the file.
    pub fn new(text: &str) -> Self {
        let program = Self { folder: scratch() };
        program.write("config.toml", text);
        program
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command `subcommand`, without anything of this host in its environment.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxi-device-plugin"));
        command.arg(subcommand);
        for variable in ["SYSFS_ROOT", "DEVFS_ROOT", "OFI_ROOT", "CXI_ROOT", "RUNTIME_DIRECTORY"] {
            command.env_remove(variable);
        }
        command
    }

    /// What counts, and where from.
    pub fn config(&self, also: impl FnOnce(&mut Command)) -> Vec<Entry> {
        let mut command = self.command("config");
        command
            .args(["--output", "json", "--config"])
            .arg(self.path("config.toml"));
        also(&mut command);
        let output: Output = command.output().unwrap().into();
        assert_eq!(output.code, 0, "{output:?}");
        let listed: Value = serde_json::from_str(&output.stdout).unwrap();
        listed.as_array().unwrap().iter().map(entry).collect()
    }

    pub fn check(&self) -> Output {
        let mut command = self.command("check-config");
        command.arg(self.path("config.toml"));
        command.output().unwrap().into()
    }
}

/// A key with its value and, as one text, where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
    pub origin: String,
}

fn entry(entry: &Value) -> Entry {
    let origin = &entry["origin"];
    let name = origin["name"].as_str().unwrap_or_default();
    Entry {
        key: entry["key"].as_str().unwrap().to_owned(),
        value: entry["value"].clone(),
        origin: match origin["kind"].as_str().unwrap() {
            "file" => {
                let file = origin["file"].as_str().unwrap();
                format!("{}:{}", file.rsplit('/').next().unwrap(), origin["line"])
            }
            "environment" => format!("${name}"),
            "flag" => name.to_owned(),
            "preset" => format!("preset {name}"),
            "default" => "default".to_owned(),
            other => panic!("{other}"),
        },
    }
}
