//! What a scenario can do to a node, whatever the node is made of: a tree of files, or the kernel of a virtual machine.

use std::fmt::Debug;
use std::fs::File;
use std::path::Path;

use super::error::{Context, Error, Result};
use super::{NicSpec, Node};

/// A node whose NICs can be changed. `pci` is a NIC's PCI address, as [`Backend::add`] returned it.
///
/// Every method returns when the change can be seen by other processes.
pub trait Backend: Debug {
    /// Where the host's tree is, for a program that looks at the node; none where it is the machine's own.
    fn root(&self) -> Option<&Path>;

    /// Hotplugs a NIC, binds the driver, and gives it what the site's software gives: a fabric address, a retry handler.
    fn add(&mut self, spec: &NicSpec) -> Result<String>;

    /// Hot-unplugs a NIC.
    fn remove(&mut self, pci: &str) -> Result<()>;

    /// Takes the driver from a NIC.
    fn unbind(&mut self, pci: &str) -> Result<()>;

    /// Gives the driver back, and what comes with it.
    fn bind(&mut self, pci: &str) -> Result<()>;

    /// Unloads the driver: no NIC has one.
    fn unload_driver(&mut self) -> Result<()>;

    /// Loads the driver: every NIC has it again.
    fn load_driver(&mut self) -> Result<()>;

    /// Takes the fabric link of a NIC up or down.
    fn link(&mut self, pci: &str, up: bool) -> Result<()>;

    /// Starts the retry handler of a NIC, or ends it.
    fn retry_handler(&mut self, pci: &str, alive: bool) -> Result<()>;

    /// Makes the driver give a NIC up.
    fn fatal_error(&mut self, pci: &str) -> Result<()>;

    /// Opens the device node of a NIC, as programs do that use it.
    fn open(&mut self, pci: &str) -> Result<File>;
}

impl Backend for Node {
    fn root(&self) -> Option<&Path> {
        Some(Node::root(self))
    }

    fn add(&mut self, spec: &NicSpec) -> Result<String> {
        Node::add(self, spec)
    }

    fn remove(&mut self, pci: &str) -> Result<()> {
        Node::remove(self, pci)
    }

    fn unbind(&mut self, pci: &str) -> Result<()> {
        Node::unbind(self, pci)
    }

    fn bind(&mut self, pci: &str) -> Result<()> {
        Node::bind(self, pci).map(drop)
    }

    fn unload_driver(&mut self) -> Result<()> {
        Node::unload_driver(self)
    }

    fn load_driver(&mut self) -> Result<()> {
        Node::load_driver(self)
    }

    fn link(&mut self, pci: &str, up: bool) -> Result<()> {
        Node::link(self, pci, up)
    }

    fn retry_handler(&mut self, pci: &str, alive: bool) -> Result<()> {
        self.set(pci, "properties/pct_eq", if alive { b"1\n" } else { b"0\n" })
    }

    fn fatal_error(&mut self, pci: &str) -> Result<()> {
        Node::fatal_error(self, pci)
    }

    fn open(&mut self, pci: &str) -> Result<File> {
        let number = self
            .nics()?
            .into_iter()
            .find(|nic| nic.pci == pci)
            .and_then(|nic| nic.cxi);
        let path = match number {
            Some(number) => Node::root(self).join(format!("dev/cxi{number}")),
            None => return Err(Error::Unbound(pci.to_owned())),
        };
        open(&path)
    }
}

/// Reads and writes, as libcxi does.
pub(super) fn open(node: &Path) -> Result<File> {
    File::options().read(true).write(true).open(node).context("open", node)
}
