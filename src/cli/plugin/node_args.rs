//! Which node a command looks at.

use std::path::{Path, PathBuf};

use super::host_settings::ConfiguredNode;
use crate::host::files::roots::RootArgs;
use crate::model::config::settings::RUN_DIR;

/// Where to look.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    /// The daemon's own directory, where it is said which NICs are cordoned [default: the daemon's, by the
    /// host's configuration]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// The host.
    #[command(flatten)]
    pub roots: RootArgs,
}

impl NodeArgs {
    /// The node by these flags and its configuration.
    ///
    /// # Errors
    /// The prefix is no directory.
    pub fn configured(&self) -> anyhow::Result<ConfiguredNode> {
        Ok(ConfiguredNode::new(self.roots.clone(), self.run_dir.as_deref())?.or_warn())
    }

    /// The same, where something is to be written in the daemon's own directory; one that was given or configured is not made.
    ///
    /// # Errors
    /// It is not there, or nobody can tell which it is.
    pub fn writable(&self) -> anyhow::Result<ConfiguredNode> {
        let node = ConfiguredNode::new(self.roots.clone(), self.run_dir.as_deref())?;
        let node = if self.run_dir.is_some() {
            node.or_warn()
        } else {
            node.or_fail()?
        };
        let directory = &node.run_dir;
        let is_usual = self.run_dir.is_none()
            && node.settings.daemon.run_dir == Path::new(RUN_DIR)
            && directory.parent().is_some_and(Path::is_dir);
        if !is_usual && !directory.is_dir() {
            anyhow::bail!(
                "the directory {} is not there: give the --run-dir of the daemon",
                directory.display()
            );
        }
        Ok(node)
    }
}
