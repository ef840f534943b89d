//! Which node a command looks at.

use std::path::{Path, PathBuf};

use crate::host::files::roots::RootArgs;
use crate::model::config::settings::RUN_DIR;

/// Where to look.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// The daemon's own directory, where it is said which NICs are cordoned [default: /run/cxi-device-plugin]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub roots: RootArgs,
}

impl NodeArgs {
    /// The daemon's own directory.
    pub fn run_dir(&self) -> PathBuf {
        self.roots.place(self.run_dir.as_deref(), RUN_DIR)
    }

    /// The same, in which something is to be written; one that was given is not made.
    ///
    /// # Errors
    /// It is not there.
    pub fn writable_run_dir(&self) -> anyhow::Result<PathBuf> {
        let directory = self.run_dir();
        let is_usual = self.run_dir.is_none() && directory.parent().is_some_and(Path::is_dir);
        if !is_usual && !directory.is_dir() {
            anyhow::bail!(
                "the directory {} is not there: give the --run-dir of the daemon",
                directory.display()
            );
        }
        Ok(directory)
    }
}
