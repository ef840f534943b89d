//! An emulated node: the part of a Linux host that HPE Slingshot (CXI) NICs and their driver `cxi_ss1` show, as plain
//! files below a directory.
//!
//! [`Node`] builds `sys/`, `dev/`, `usr/lib64/`, `opt/cray/lib64/` and `run/cxi/` and changes them as the driver would,
//! in its order, while programs look at them. Names, modes, values (with or without newline) and link targets are those
//! of the driver (HewlettPackard/shs-cxi-driver, drivers/net/ethernet/hpe/ss1) and of the kernel. No root, hardware or
//! kernel module is needed. [`Node::with_uevents`] lets the kernel tell of each change. What remains undone: link messages. Commands on
//! `/dev/cxiN` are for [`driver`](crate::driver).

mod attributes;
mod backend;
mod capture;
mod device_node;
mod elf;
mod error;
mod guest;
mod libraries;
mod operations;
mod pci;
mod scratch;
mod skeleton;
mod spec;
mod state;
mod steps;
mod tree;
mod uevents;
mod variant;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

pub use backend::Backend;
pub use capture::capture;
pub use device_node::{DeviceNodes, DeviceNumbers};
pub use error::{Error, Result};
pub use guest::Guest;
pub use scratch::scratch_dir;
pub use spec::{Kind, NicSpec};
pub use variant::Variant;

use error::Context;
use operations::Operation;
use pci::PciAddress;
use state::State;
use tree::Tree;
use uevents::Uevents;

/// An emulated node in a directory.
///
/// It is a handle: the node lives in the directory, so several handles, threads and processes may work on one node; an
/// operation locks the directory. Methods that take `pci` want the PCI address of a NIC of this node and fail with
/// [`Error::UnknownNic`] otherwise; every method fails with [`Error::Io`] when the file system does. A failed operation
/// can leave half a NIC behind.
#[derive(Debug, Clone)]
pub struct Node {
    tree: Tree,
    uevents: Option<Arc<Uevents>>,
}

/// One NIC of a node, as [`Node::nics`] lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nic {
    /// PCI address, such as `0000:21:00.0`.
    pub pci: String,
    /// N of cxiN; none while the driver is not bound.
    pub cxi: Option<u32>,
    /// The netdev; none while the driver is not bound, and with [`Variant::V10`].
    pub netdev: Option<String>,
    /// Generation and function type.
    pub kind: Kind,
}

impl Node {
    /// Builds a node with these NICs, added in this order, in a new or empty directory.
    ///
    /// # Errors
    /// [`Error::AlreadyNode`] and [`Error::NotEmpty`] when the directory holds something; [`Error::Spec`] and
    /// [`Error::InUse`] when the NICs are impossible.
    pub fn create(dir: impl AsRef<Path>, nics: &[NicSpec]) -> Result<Self> {
        Self::create_in(dir.as_ref(), nics, None)
    }

    /// Like [`Node::create`], with character device nodes that have these numbers and following.
    ///
    /// # Errors
    /// As [`Node::create`]; device nodes cannot be made.
    pub fn create_numbered(dir: impl AsRef<Path>, nics: &[NicSpec], first: DeviceNumbers) -> Result<Self> {
        Self::create_in(dir.as_ref(), nics, Some(DeviceNodes::Numbered(first)))
    }

    fn create_in(dir: &Path, nics: &[NicSpec], device_nodes: Option<DeviceNodes>) -> Result<Self> {
        fs::create_dir_all(dir).context("create", dir)?;
        if dir.join(state::STATE_FILE).exists() {
            return Err(Error::AlreadyNode(dir.to_owned()));
        }
        let staging = |entry: &io::Result<fs::DirEntry>| entry.as_ref().is_ok_and(|e| tree::is_staging(&e.file_name()));
        if fs::read_dir(dir).context("read", dir)?.any(|entry| !staging(&entry)) {
            return Err(Error::NotEmpty(dir.to_owned()));
        }
        Self::build(dir, nics, device_nodes)
    }

    /// Like [`Node::create`], but rebuilds a node that is there already. Only the node's own `sys`, `dev`, `usr`, `opt`,
    /// `run` and state file are removed first.
    ///
    /// # Errors
    /// As [`Node::create`], except for [`Error::AlreadyNode`].
    pub fn recreate(dir: impl AsRef<Path>, nics: &[NicSpec]) -> Result<Self> {
        let dir = dir.as_ref();
        let state = dir.join(state::STATE_FILE);
        if !state.exists() {
            return Self::create(dir, nics);
        }
        for top in skeleton::TOP {
            let path = dir.join(top);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context("remove", &path),
                _ => {}
            }
        }
        tree::remove_file(&state)?;
        Self::build(dir, nics, None)
    }

    fn build(dir: &Path, nics: &[NicSpec], device_nodes: Option<DeviceNodes>) -> Result<Self> {
        let tree = Tree::new(dir.to_owned());
        let _lock = lock(&tree)?;
        skeleton::install(&tree)?;
        libraries::install(&tree)?;
        let mut state = State::new(match device_nodes {
            Some(device_nodes) => device_nodes,
            None => DeviceNodes::probe(&dir.join("dev"))?,
        });
        // Saved first as well: a node that fails half-way can be rebuilt.
        state.save(&tree)?;
        let mut operation = Operation {
            tree: &tree,
            state: &mut state,
            uevents: None,
            observer: &mut |_, _| {},
        };
        nics.iter().try_for_each(|spec| operation.add(spec).map(drop))?;
        state.save(&tree)?;
        Ok(Self { tree, uevents: None })
    }

    /// Makes libfabric need further libraries, until there are `total` of them with libfabric and libcxi.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn grow_libraries(&self, total: usize) -> Result<()> {
        libraries::grow(&self.tree, total)
    }

    /// Opens the node in this directory.
    ///
    /// # Errors
    /// [`Error::NotNode`] when there is none, [`Error::State`] when its state file is damaged.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let node = Self {
            tree: Tree::new(dir.as_ref().to_owned()),
            uevents: None,
        };
        State::load(&node.tree).map(|_| node)
    }

    /// The same node, of whose changes the kernel tells by uevents in the network namespace of this thread, in the order
    /// of the real driver.
    ///
    /// # Errors
    /// [`Error::Uevents`] when that is not allowed here.
    pub fn with_uevents(self) -> Result<Self> {
        let uevents = Uevents::open().map_err(Error::Uevents)?;
        // Of no consequence, and refused where the real ones would be.
        uevents
            .send("change", "devices/virtual/mem/null", "mem", "")
            .map_err(Error::Uevents)?;
        Ok(Self {
            uevents: Some(Arc::new(uevents)),
            ..self
        })
    }

    /// Has the kernel tell this often of a device that is no NIC.
    ///
    /// # Errors
    /// [`Error::Uevents`] when that is not allowed here.
    pub fn burst_of_foreign_uevents(&self, count: usize) -> Result<()> {
        let uevents = Uevents::open().map_err(Error::Uevents)?;
        let send = || uevents.send("change", "devices/virtual/mem/null", "mem", "");
        (0..count).try_for_each(|_| send()).map_err(Error::Uevents)
    }

    /// What tells of a change of one NIC after the other, though none has changed: a storm of events.
    ///
    /// # Errors
    /// [`Error::Uevents`] when that is not allowed here; otherwise as [`Node::open`].
    pub fn idle_changes(&self) -> Result<IdleChanges> {
        let uevents = Uevents::open().map_err(Error::Uevents)?;
        let nics = State::load(&self.tree)?.nics;
        Ok(IdleChanges { uevents, nics })
    }

    /// A uevent about a NIC that this process sends itself, pretending to be the kernel. Listeners must not heed it.
    ///
    /// # Errors
    /// [`Error::Uevents`] when that is not allowed here.
    pub fn forge_uevent(&self, action: &str, subsystem: &str) -> Result<()> {
        let uevents = Uevents::open().map_err(Error::Uevents)?;
        let path = "devices/pci0000:20/0000:20:01.1/0000:21:00.0";
        uevents.forge(action, path, subsystem).map_err(Error::Uevents)
    }

    /// The node's directory: what programs under test take as the prefix of the host's tree.
    pub fn root(&self) -> &Path {
        self.tree.root()
    }

    /// The NICs, in the order in which they were added.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn nics(&self) -> Result<Vec<Nic>> {
        let state = State::load(&self.tree)?;
        let nic = |nic: state::NicState| Nic {
            pci: nic.pci.to_string(),
            cxi: nic.bound.map(|bound| bound.cxi),
            netdev: nic.netdev.clone().filter(|_| nic.bound.is_some()),
            kind: nic.kind(),
        };
        Ok(state.nics.into_iter().map(nic).collect())
    }

    /// What the device nodes of this node are.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn device_nodes(&self) -> Result<DeviceNodes> {
        State::load(&self.tree).map(|state| state.device_nodes)
    }

    /// Hotplugs a NIC and binds the driver to it; returns its PCI address.
    ///
    /// # Errors
    /// [`Error::Spec`] and [`Error::InUse`] when the NIC is impossible on this node.
    pub fn add(&self, spec: &NicSpec) -> Result<String> {
        self.change(|operation| operation.add(spec)).map(|pci| pci.to_string())
    }

    /// Removes a NIC; the VFs of a PF go first.
    pub fn remove(&self, pci: &str) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.remove(pci))
    }

    /// Takes the driver from a NIC; its PCI device stays. The VFs of a PF are removed.
    ///
    /// # Errors
    /// [`Error::Unbound`] when it has none.
    pub fn unbind(&self, pci: &str) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.unbind(pci))
    }

    /// Binds the driver to a NIC; returns its new cxi number, which no NIC of this node ever had.
    ///
    /// # Errors
    /// [`Error::Bound`] when it has one.
    pub fn bind(&self, pci: &str) -> Result<u32> {
        self.change_nic(pci, |operation, pci| operation.bind(pci))
    }

    /// [`Node::unbind`], then [`Node::bind`].
    ///
    /// # Errors
    /// [`Error::Unbound`] when no driver is bound.
    pub fn rebind(&self, pci: &str) -> Result<u32> {
        self.change_nic(pci, |operation, pci| {
            operation.unbind(pci)?;
            operation.bind(pci)
        })
    }

    /// Unloads the driver's modules: every NIC loses its driver, and the classes go.
    pub fn unload_driver(&self) -> Result<()> {
        self.change(|operation| operation.unload_driver())
    }

    /// Loads the driver's modules and binds the driver to every NIC. The numbers begin at 0 again.
    pub fn load_driver(&self) -> Result<()> {
        self.change(|operation| operation.load_driver())
    }

    /// Replaces the value of an attribute in one step, keeping its mode. `attribute` is relative to the PCI directory, such
    /// as `properties/pct_eq` or `net/hsn0/carrier`; `value` is written as it is, so mind the newline. A name that is not
    /// there is added, with mode 0444. A rebind brings the driver's own values back.
    ///
    /// # Errors
    /// [`Error::Attribute`] when the name leaves the PCI directory, [`Error::NoAttribute`] when its directory is missing.
    pub fn set(&self, pci: &str, attribute: &str, value: &[u8]) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.set(pci, attribute, value))
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// As [`Node::set`]; [`Error::NoAttribute`] also when it is not there.
    pub fn unset(&self, pci: &str, attribute: &str) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.unset(pci, attribute))
    }

    /// Makes the fabric link of a NIC go up or down: `properties/link`, `port/`, and the netdev's carrier, operstate and
    /// counters. On a VF only the netdev follows.
    ///
    /// # Errors
    /// [`Error::Unbound`] when no driver is bound.
    pub fn link(&self, pci: &str, up: bool) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.link(pci, up))
    }

    /// Gives a NIC up, as the driver does after an error it cannot recover from: PCI `enable` 0, no bus master, link down;
    /// device node and directories stay. A rebind brings it back.
    ///
    /// # Errors
    /// [`Error::Unbound`] when no driver is bound.
    pub fn fatal_error(&self, pci: &str) -> Result<()> {
        self.change_nic(pci, |operation, pci| operation.fatal_error(pci))
    }

    fn change_nic<T>(&self, pci: &str, action: impl FnOnce(&mut Operation, PciAddress) -> Result<T>) -> Result<T> {
        let address = pci.parse().map_err(|_| operations::unknown(&self.tree, pci))?;
        self.change(|operation| action(operation, address))
    }

    fn change<T>(&self, action: impl FnOnce(&mut Operation) -> Result<T>) -> Result<T> {
        let _lock = lock(&self.tree)?;
        let mut state = State::load(&self.tree)?;
        let mut operation = Operation {
            tree: &self.tree,
            state: &mut state,
            uevents: self.uevents.as_deref(),
            observer: &mut |_, _| {},
        };
        let answer = action(&mut operation)?;
        state.save(&self.tree)?;
        Ok(answer)
    }
}

/// Uevents `change` of a node's NICs, of which nothing has changed.
#[derive(Debug)]
pub struct IdleChanges {
    uevents: Uevents,
    nics: Vec<state::NicState>,
}

impl IdleChanges {
    /// Has the kernel tell of the NIC with this number; after the last NIC the first comes again.
    ///
    /// # Errors
    /// [`Error::Uevents`] when that is not allowed here.
    pub fn tell(&self, number: usize) -> Result<()> {
        match self.nics.iter().cycle().nth(number % self.nics.len().max(1)) {
            Some(nic) => self.uevents.of_function("change", nic).map_err(Error::Uevents),
            None => Ok(()),
        }
    }
}

/// Keeps other processes and threads from the node while the file is open.
fn lock(tree: &Tree) -> Result<File> {
    let directory = File::open(tree.root()).context("open", tree.root())?;
    directory.lock().context("lock", tree.root())?;
    Ok(directory)
}
