//! Bringing one NIC up and down, step by step, in the driver's order.

use std::fs;
use std::io;

use super::attributes::{self, PHYSICAL_BAR_SIZE, VIRTUAL_BAR_SIZE};
use super::device_node::DeviceNodes;
use super::error::{Context, Result};
use super::skeleton::DRIVER;
use super::state::{Bound, NicState};
use super::tree::{Tree, make_directories, make_directory, make_link, remove_file, write_file, write_files};
use super::variant::Variant;

/// A part of a NIC that appears or disappears by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The PCI directory and its link in `bus/pci/devices`.
    PciDevice,
    /// The `driver` link and its counterpart, with what binding changes in the PCI directory.
    Driver,
    /// `properties/` and the driver's other directories.
    Directories,
    /// The entry of class cxi_user.
    CxiUser,
    /// `/dev/cxiN`.
    DeviceNode,
    /// The netdev.
    Netdev,
    /// The entry of class cxi.
    Cxi,
}

/// What `cass_probe()` does after the PCI core made the device (cass_core.c): class cxi is last.
pub(super) const BIND: [Step; 6] = [
    Step::Driver,
    Step::Directories,
    Step::CxiUser,
    Step::DeviceNode,
    Step::Netdev,
    Step::Cxi,
];

/// What `cass_remove()` does (cass_core.c). It is not the reverse of [`BIND`]: the directories go before class cxi.
pub(super) const UNBIND: [Step; 6] = [
    Step::Netdev,
    Step::DeviceNode,
    Step::CxiUser,
    Step::Directories,
    Step::Cxi,
    Step::Driver,
];

/// Attributes that vanish with V16.
const VANISHING: [&str; 3] = ["link", "pct_eq", "driver_rev"];

/// One NIC of a tree, while steps are done to it.
pub(super) struct NicBuilder<'a> {
    pub tree: &'a Tree,
    pub nic: &'a NicState,
    pub device_nodes: DeviceNodes,
}

impl NicBuilder<'_> {
    /// Makes one part of the NIC. A NIC without numbers gets none of the driver's parts.
    pub fn make(&self, step: Step) -> Result<()> {
        match (step, self.nic.bound) {
            (Step::PciDevice, _) => self.make_pci_device(),
            (Step::Driver, Some(_)) => self.make_driver(),
            (Step::Directories, Some(_)) => self.make_directories(),
            (Step::CxiUser, Some(bound)) => self.make_class_entry("cxi_user", &cxi_name(bound)),
            (Step::DeviceNode, Some(bound)) => self.make_device_node(bound),
            (Step::Netdev, Some(_)) => match &self.nic.netdev {
                Some(name) => self.make_class_entry("net", name),
                None => Ok(()),
            },
            (Step::Cxi, Some(bound)) => self.make_class_entry("cxi", &cxi_name(bound)),
            (_, None) => Ok(()),
        }
    }

    /// Removes one part of the NIC.
    pub fn unmake(&self, step: Step) -> Result<()> {
        match (step, self.nic.bound) {
            (Step::PciDevice, _) => self.unmake_pci_device(),
            (Step::Driver, Some(_)) => self.unmake_driver(),
            (Step::Directories, Some(_)) => {
                let directories = attributes::driver_directories(self.nic).iter().rev();
                directories
                    .into_iter()
                    .try_for_each(|(name, _)| self.tree.withdraw(&self.below(name)))
            }
            (Step::CxiUser, Some(bound)) => self.unmake_class_entry("cxi_user", &cxi_name(bound)),
            (Step::DeviceNode, Some(bound)) => self.unmake_device_node(bound),
            (Step::Netdev, Some(_)) => match &self.nic.netdev {
                Some(name) => self.unmake_class_entry("net", name),
                None => Ok(()),
            },
            (Step::Cxi, Some(bound)) => self.unmake_class_entry("cxi", &cxi_name(bound)),
            (_, None) => Ok(()),
        }
    }

    fn make_pci_device(&self) -> Result<()> {
        self.make_root_port()?;
        let dir = self.nic.dir();
        self.tree.publish(&dir, |staged| {
            write_files(staged, &attributes::pci(self.nic))?;
            let bar = staged.join("resource0");
            write_file(&bar, 0o600, b"")?;
            let size = if self.nic.kind().is_vf() {
                VIRTUAL_BAR_SIZE
            } else {
                PHYSICAL_BAR_SIZE
            };
            // Sparse: the file has the size of BAR 0 and occupies nothing.
            fs::OpenOptions::new()
                .write(true)
                .open(&bar)
                .and_then(|file| file.set_len(size))
                .context("extend", &bar)?;
            if let Some(physfn) = self.nic.physfn {
                make_link(&format!("../{physfn}"), &staged.join("physfn"))?;
            }
            make_link(
                &super::tree::sysfs_target(&self.below("subsystem"), "bus/pci"),
                &staged.join("subsystem"),
            )
        })?;
        if let Some((physfn, virtfn)) = self.virtfn() {
            self.tree.link(&format!("{physfn}/{virtfn}"), &dir)?;
        }
        self.tree.link(&format!("bus/pci/devices/{}", self.nic.pci), &dir)
    }

    fn unmake_pci_device(&self) -> Result<()> {
        remove_file(&self.tree.sys(&format!("bus/pci/devices/{}", self.nic.pci)))?;
        if let Some((physfn, virtfn)) = self.virtfn() {
            remove_file(&self.tree.sys(&physfn).join(virtfn))?;
        }
        self.tree.withdraw(&self.nic.dir())
    }

    /// The PF's directory and the name of its link to this VF. Function K + 1 is VF K.
    fn virtfn(&self) -> Option<(String, String)> {
        let physfn = self.nic.physfn?;
        Some((
            physfn.sysfs_dir(),
            format!("virtfn{}", self.nic.pci.function.saturating_sub(1)),
        ))
    }

    /// The port above the NIC. It stays when the NIC goes, as after a real removal.
    fn make_root_port(&self) -> Result<()> {
        let Some(port) = self.nic.pci.root_port() else {
            let dir = self.nic.dir();
            return dir
                .rsplit_once('/')
                .map_or(Ok(()), |(bus, _)| make_directories(&self.tree.sys(bus)));
        };
        let dir = port.root_port_dir();
        if self.tree.sys(&dir).exists() {
            return Ok(());
        }
        if let Some((bus, _)) = dir.rsplit_once('/') {
            make_directories(&self.tree.sys(bus))?;
        }
        self.tree
            .publish(&dir, |staged| write_files(staged, &attributes::root_port(port)))?;
        self.tree.link(&format!("{dir}/subsystem"), "bus/pci")?;
        self.tree.link(&format!("bus/pci/devices/{port}"), &dir)
    }

    fn make_driver(&self) -> Result<()> {
        self.tree
            .link(&self.below("driver"), &format!("bus/pci/drivers/{DRIVER}"))?;
        self.tree
            .link(&format!("bus/pci/drivers/{DRIVER}/{}", self.nic.pci), &self.nic.dir())?;
        self.refresh_pci_device(self.nic)
    }

    fn unmake_driver(&self) -> Result<()> {
        remove_file(&self.tree.sys(&format!("bus/pci/drivers/{DRIVER}/{}", self.nic.pci)))?;
        remove_file(&self.tree.sys(&self.below("driver")))?;
        self.refresh_pci_device(&NicState {
            bound: None,
            ..self.nic.clone()
        })
    }

    /// Writes what the driver changes in the PCI directory.
    fn refresh_pci_device(&self, nic: &NicState) -> Result<()> {
        let replace = |name, content: &[u8]| self.tree.replace(&self.tree.sys(&self.below(name)), 0o644, content);
        replace("config", &attributes::config(nic))?;
        replace("enable", attributes::enable(nic).as_bytes())?;
        replace("uevent", attributes::uevent(nic).as_bytes())
    }

    fn make_directories(&self) -> Result<()> {
        for (name, files) in attributes::driver_directories(self.nic) {
            self.tree.publish(&self.below(name), |staged| {
                let mut files = files(self.nic);
                if *name == "properties" && self.nic.has(Variant::V16) {
                    files.retain(|file| !VANISHING.contains(&file.path.as_ref()));
                    VANISHING
                        .iter()
                        .try_for_each(|name| make_link("vanished", &staged.join(name)))?;
                }
                write_files(staged, &files)
            })?;
        }
        Ok(())
    }

    /// Makes the entry of a class: the directory first, the link in `/sys/class` last, as `device_add()` does.
    fn make_class_entry(&self, class: &str, name: &str) -> Result<()> {
        let entry = self.below(&format!("{class}/{name}"));
        self.tree.publish(&self.below(class), |staged| {
            let directory = staged.join(name);
            make_directory(&directory)?;
            write_files(
                &directory,
                &match class {
                    "cxi" => attributes::cxi(self.nic),
                    "cxi_user" => attributes::cxi_user(self.nic),
                    _ => attributes::netdev(self.nic),
                },
            )?;
            if class == "cxi_user" {
                // One directory per open file. Empty: nobody opens these nodes, not even a retry handler.
                make_directory(&directory.join("clients"))?;
            }
            let target = |link: &str, target: &str| super::tree::sysfs_target(&format!("{entry}/{link}"), target);
            make_link(&target("device", &self.nic.dir()), &directory.join("device"))?;
            make_link(
                &target("subsystem", &format!("class/{class}")),
                &directory.join("subsystem"),
            )
        })?;
        self.tree.link(&format!("class/{class}/{name}"), &entry)
    }

    fn unmake_class_entry(&self, class: &str, name: &str) -> Result<()> {
        remove_file(&self.tree.sys(&format!("class/{class}/{name}")))?;
        self.tree.withdraw(&self.below(class))
    }

    fn make_device_node(&self, bound: Bound) -> Result<()> {
        if self.nic.has(Variant::V5) {
            return Ok(());
        }
        self.device_nodes.make(&self.tree.dev(&cxi_name(bound)), bound.cxi)?;
        // The retry handler's unit is started by the node and makes its mount point first. It runs on PFs only.
        if self.nic.kind().is_vf() {
            Ok(())
        } else {
            make_directories(&self.run_directory(bound))
        }
    }

    fn unmake_device_node(&self, bound: Bound) -> Result<()> {
        remove_file(&self.tree.dev(&cxi_name(bound)))?;
        let directory = self.run_directory(bound);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", &directory),
            _ => Ok(()),
        }
    }

    fn run_directory(&self, bound: Bound) -> std::path::PathBuf {
        self.tree.root().join("run/cxi").join(cxi_name(bound))
    }

    /// A path in the PCI directory, relative to `/sys`.
    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.nic.dir())
    }
}

/// The kernel's name of a bound NIC.
pub(super) fn cxi_name(bound: Bound) -> String {
    format!("cxi{}", bound.cxi)
}
