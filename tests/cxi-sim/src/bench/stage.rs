//! A node, a kubelet and the device plugin between them.

use std::error::Error;
use std::path::Path;

use tempfile::TempDir;

use super::{PATIENCE, RESOURCE};
use crate::demo::plugin::Plugin;
use crate::kubelet::Kubelet;
use crate::node::{Kind, NicSpec, Node, scratch_dir};

/// The plugin goes first, its folder last.
pub(super) struct Stage {
    _plugin: Plugin,
    pub pid: u32,
    pub kubelet: Kubelet,
    pub node: Node,
    pub folder: TempDir,
}

impl Stage {
    /// Starts the program on a node with so many NICs; kubelet has its list.
    pub async fn new(program: &Path, nics: usize, flags: &[&str]) -> Result<Self, Box<dyn Error>> {
        let folder = scratch_dir()?;
        let node = Node::create(folder.path().join("node"), &vec![NicSpec::new(Kind::Cassini2); nics])?;
        let kubelet = Kubelet::start(&folder.path().join("kubelet"))?;
        let plugin = Plugin::start_on(program, folder.path(), Some(node.root()), flags)?;
        kubelet
            .wait_for(RESOURCE, PATIENCE, |devices| devices.len() == nics)
            .await?;
        let pid = plugin.pid().ok_or("the plugin has ended")?;
        Ok(Self {
            _plugin: plugin,
            pid,
            kubelet,
            node,
            folder,
        })
    }

    /// The device IDs of a pod that wants one NIC.
    pub fn one_nic(&self) -> Result<Vec<String>, Box<dyn Error>> {
        Ok(self.node.nics()?.into_iter().take(1).map(|nic| nic.pci).collect())
    }
}
