//! The operations on a node that is there: hotplug, binding, and values that change.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use super::attributes::{self, link_words};
use super::error::{Error, Result};
use super::pci::PciAddress;
use super::skeleton;
use super::spec::NicSpec;
use super::state::{NicState, State};
use super::steps::{BIND, NicBuilder, Step, UNBIND};
use super::tree::{Tree, remove_file};
use super::uevents::Uevents;
use super::variant::Variant;

/// Called after every step, with the NIC it was done to; tests watch the order with it.
pub(super) type Observer<'a> = &'a mut dyn FnMut(Step, &NicState);

/// A tree and its state during one operation.
pub(super) struct Operation<'a> {
    pub tree: &'a Tree,
    pub state: &'a mut State,
    /// Tells of every step.
    pub uevents: Option<&'a Uevents>,
    pub observer: Observer<'a>,
}

impl Operation<'_> {
    /// Adds a NIC and binds the driver to it.
    pub fn add(&mut self, spec: &NicSpec) -> Result<PciAddress> {
        let mut nic = self.state.place(spec)?;
        nic.bound = Some(self.state.take_numbers(spec.cxi)?);
        // The PCI core makes the device before any driver sees it.
        let unbound = NicState {
            bound: None,
            ..nic.clone()
        };
        self.make(&unbound, &[Step::PciDevice])?;
        self.make(&nic, &BIND)?;
        let (pci, physfn) = (nic.pci, nic.physfn);
        self.state.nics.push(nic);
        self.count_vfs(physfn)?;
        Ok(pci)
    }

    /// Takes a NIC away, and the VFs of a PF before it.
    pub fn remove(&mut self, pci: PciAddress) -> Result<()> {
        let nic = self.nic(pci)?.clone();
        self.remove_vfs(pci)?;
        self.unmake(&nic, &UNBIND)?;
        self.unmake(&nic, &[Step::PciDevice])?;
        self.state.nics.retain(|other| other.pci != pci);
        self.count_vfs(nic.physfn)
    }

    /// Takes the driver from a NIC, and the VFs of a PF away.
    pub fn unbind(&mut self, pci: PciAddress) -> Result<()> {
        let nic = self.nic(pci)?.clone();
        nic.bound.ok_or_else(|| Error::Unbound(pci.to_string()))?;
        self.remove_vfs(pci)?;
        self.unmake(&nic, &UNBIND)?;
        self.nic_mut(pci)?.bound = None;
        Ok(())
    }

    /// Binds the driver to a NIC; returns its new cxi number.
    pub fn bind(&mut self, pci: PciAddress) -> Result<u32> {
        if self.nic(pci)?.bound.is_some() {
            return Err(Error::Bound(pci.to_string()));
        }
        let bound = self.state.take_numbers(None)?;
        let nic = self.nic_mut(pci)?;
        nic.bound = Some(bound);
        let nic = nic.clone();
        self.make(&nic, &BIND)?;
        Ok(bound.cxi)
    }

    /// Unloads the driver: every NIC loses it, and its modules and classes go. The VFs go with it.
    pub fn unload_driver(&mut self) -> Result<()> {
        for pci in self.state.nics.iter().map(|nic| nic.pci).collect::<Vec<_>>() {
            // A VF is gone as soon as its PF is unbound.
            if self.state.find(pci).is_some() && self.nic(pci)?.bound.is_some() {
                self.unbind(pci)?;
            }
        }
        skeleton::unload_driver(self.tree)?;
        self.tell_of_modules("remove")
    }

    /// Loads the driver: it binds to every NIC and counts cxi numbers from 0 again.
    pub fn load_driver(&mut self) -> Result<()> {
        skeleton::load_driver(self.tree)?;
        self.tell_of_modules("add")?;
        self.state.next_cxi = 0;
        let free = self.state.nics.iter().filter(|nic| nic.bound.is_none());
        let free: Vec<_> = free.map(|nic| nic.pci).collect();
        free.into_iter().try_for_each(|pci| self.bind(pci).map(drop))
    }

    fn tell_of_modules(&self, action: &str) -> Result<()> {
        let Some(uevents) = self.uevents else { return Ok(()) };
        attributes::MODULES.iter().try_for_each(|(module, _)| {
            let path = format!("module/{module}");
            uevents.send(action, &path, "module", "").map_err(Error::Uevents)
        })
    }

    /// What the driver does after an error it cannot recover from (`cass_disable_device()`, cass_core.c): the function is
    /// no bus master any more and not enabled; directories and nodes stay, and the link goes down.
    pub fn fatal_error(&self, pci: PciAddress) -> Result<()> {
        let nic = self.nic(pci)?;
        nic.bound.ok_or_else(|| Error::Unbound(pci.to_string()))?;
        let mut dead = nic.clone();
        dead.spec.variants.push(Variant::V15);
        self.set(pci, "config", &attributes::config(&dead))?;
        self.set(pci, "enable", attributes::enable(&dead).as_bytes())?;
        self.link(pci, false)
    }

    /// Replaces the value of an attribute, or adds one to a directory that is there.
    pub fn set(&self, pci: PciAddress, attribute: &str, value: &[u8]) -> Result<()> {
        let path = self.tree.sys(&self.nic(pci)?.dir()).join(relative(attribute)?);
        let directory = path.parent().is_some_and(Path::is_dir);
        if !directory || path.is_dir() {
            return Err(self.no_attribute(pci, attribute));
        }
        // A dangling link (V16) has no mode to keep.
        let mode = fs::metadata(&path).map_or(0o444, |meta| meta.permissions().mode() & 0o7777);
        self.tree.replace(&path, mode, value)
    }

    /// Removes an attribute.
    pub fn unset(&self, pci: PciAddress, attribute: &str) -> Result<()> {
        let path = self.tree.sys(&self.nic(pci)?.dir()).join(relative(attribute)?);
        match fs::symlink_metadata(&path) {
            Ok(meta) if !meta.is_dir() => remove_file(&path),
            _ => Err(self.no_attribute(pci, attribute)),
        }
    }

    /// Makes the fabric link go up or down: the port first, then the netdev, which the driver tells about it. A value
    /// that is not there is passed over: no netdev (V10), a file that vanished (V16).
    pub fn link(&self, pci: PciAddress, up: bool) -> Result<()> {
        let nic = self.nic(pci)?;
        nic.bound.ok_or_else(|| Error::Unbound(pci.to_string()))?;
        let directory = self.tree.sys(&nic.dir());
        for (attribute, when_up, when_down) in link_words(nic) {
            if directory.join(attribute).exists() {
                self.set(pci, attribute, if up { when_up } else { when_down }.as_bytes())?;
            }
        }
        let Some(netdev) = &nic.netdev else { return Ok(()) };
        let attribute = |name: &str| format!("net/{netdev}/{name}");
        let read = |name: &str| fs::read_to_string(directory.join(attribute(name))).unwrap_or_default();
        let carrier = if up { "1\n" } else { "0\n" };
        if read("carrier") == carrier {
            return Ok(());
        }
        let counted = if up { "carrier_up_count" } else { "carrier_down_count" };
        for counter in ["carrier_changes", counted] {
            let count = read(counter).trim().parse::<u64>().unwrap_or_default();
            self.set(
                pci,
                &attribute(counter),
                format!("{}\n", count.saturating_add(1)).as_bytes(),
            )?;
        }
        self.set(pci, &attribute("carrier"), carrier.as_bytes())?;
        self.set(pci, &attribute("operstate"), if up { b"up\n" } else { b"down\n" })
    }

    fn nic(&self, pci: PciAddress) -> Result<&NicState> {
        self.state
            .nics
            .iter()
            .find(|nic| nic.pci == pci)
            .ok_or_else(|| unknown(self.tree, pci))
    }

    fn nic_mut(&mut self, pci: PciAddress) -> Result<&mut NicState> {
        self.state
            .nics
            .iter_mut()
            .find(|nic| nic.pci == pci)
            .ok_or_else(|| unknown(self.tree, pci))
    }

    fn no_attribute(&self, pci: PciAddress, attribute: &str) -> Error {
        let dir = self.tree.sys(&pci.sysfs_dir());
        Error::NoAttribute {
            pci: pci.to_string(),
            attribute: attribute.to_owned(),
            dir,
        }
    }

    /// A PF's VFs end with its driver: it turns SR-IOV off when it goes.
    fn remove_vfs(&mut self, physfn: PciAddress) -> Result<()> {
        let of_pf = |nic: &&NicState| nic.physfn == Some(physfn);
        let vfs: Vec<_> = self.state.nics.iter().filter(of_pf).map(|nic| nic.pci).collect();
        vfs.into_iter().try_for_each(|vf| self.remove(vf))
    }

    fn count_vfs(&self, physfn: Option<PciAddress>) -> Result<()> {
        let Some(pci) = physfn else { return Ok(()) };
        let count = self.state.nics.iter().filter(|nic| nic.physfn == physfn).count();
        self.set(pci, "sriov_numvfs", format!("{count}\n").as_bytes())
    }

    fn make(&mut self, nic: &NicState, steps: &[Step]) -> Result<()> {
        let stage = NicBuilder {
            tree: self.tree,
            nic,
            device_nodes: self.state.device_nodes,
        };
        for step in steps {
            stage.make(*step)?;
            if let Some(uevents) = self.uevents {
                uevents.made(*step, nic).map_err(Error::Uevents)?;
            }
            (self.observer)(*step, nic);
        }
        Ok(())
    }

    fn unmake(&mut self, nic: &NicState, steps: &[Step]) -> Result<()> {
        let stage = NicBuilder {
            tree: self.tree,
            nic,
            device_nodes: self.state.device_nodes,
        };
        for step in steps {
            stage.unmake(*step)?;
            if let Some(uevents) = self.uevents {
                uevents.unmade(*step, nic).map_err(Error::Uevents)?;
            }
            (self.observer)(*step, nic);
        }
        Ok(())
    }
}

pub(super) fn unknown(tree: &Tree, pci: impl ToString) -> Error {
    Error::UnknownNic {
        pci: pci.to_string(),
        dir: tree.root().to_owned(),
    }
}

/// Refuses names that would leave the PCI directory.
fn relative(attribute: &str) -> Result<&Path> {
    let path = Path::new(attribute);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !attribute.is_empty() {
        Ok(path)
    } else {
        Err(Error::Attribute(attribute.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::device_node::DeviceNodes;
    use crate::node::skeleton;
    use crate::node::spec::Kind;
    use Step::*;

    /// What of a NIC is there, in the order of the driver's probe.
    const PARTS: [&str; 8] = [
        "bus/pci/devices/0000:21:00.0",
        "bus/pci/drivers/cxi_ss1/0000:21:00.0",
        "bus/pci/devices/0000:21:00.0/properties/pct_eq",
        "bus/pci/devices/0000:21:00.0/cxi_user/cxi0/dev",
        "class/cxi_user/cxi0",
        "../dev/cxi0",
        "class/net/hsn0/carrier",
        "class/cxi/cxi0",
    ];

    /// Does one operation to an empty node or a node with one NIC, and notes each step with the parts that are there then.
    fn record(before: &[NicSpec], action: impl FnOnce(&mut Operation) -> Result<()>) -> Vec<(Step, [bool; 8])> {
        let dir = crate::node::scratch_dir().expect("temporary directory");
        let tree = Tree::new(dir.path().to_owned());
        skeleton::install(&tree).expect("skeleton");
        let mut state = State::new(DeviceNodes::LinkToDevFull);
        let mut steps = Vec::new();
        let mut ignore = |_: Step, _: &NicState| {};
        let mut operation = Operation {
            tree: &tree,
            state: &mut state,
            uevents: None,
            observer: &mut ignore,
        };
        before.iter().for_each(|spec| assert!(operation.add(spec).is_ok()));
        let mut note = |step: Step, _: &NicState| steps.push((step, PARTS.map(|part| tree.sys(part).exists())));
        action(&mut Operation {
            tree: &tree,
            state: &mut state,
            uevents: None,
            observer: &mut note,
        })
        .expect("done");
        steps
    }

    #[test]
    fn adding_ends_with_class_cxi() {
        let steps = record(&[], |operation| operation.add(&NicSpec::new(Kind::Cassini1)).map(drop));
        let parts_after = [
            (PciDevice, 1),
            (Driver, 2),
            (Directories, 3),
            (CxiUser, 5),
            (DeviceNode, 6),
            (Netdev, 7),
            (Cxi, 8),
        ];
        let expected = parts_after.map(|(step, count)| (step, std::array::from_fn(|part| part < count)));
        assert_eq!(steps, expected);
    }

    #[test]
    fn removing_ends_with_the_pci_device() {
        let nic = NicSpec::new(Kind::Cassini1);
        let steps = record(&[nic], |operation| {
            operation.remove("0000:21:00.0".parse().expect("address"))
        });
        let order: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        assert_eq!(
            order,
            [Netdev, DeviceNode, CxiUser, Directories, Cxi, Driver, PciDevice]
        );
        let t = true;
        let f = false;
        let there: Vec<_> = steps.into_iter().map(|(_, parts)| parts).collect();
        assert_eq!(
            there,
            [
                [t, t, t, t, t, t, f, t],
                [t, t, t, t, t, f, f, t],
                [t, t, t, f, f, f, f, t],
                [t, t, f, f, f, f, f, t],
                [t, t, f, f, f, f, f, f],
                [t, f, f, f, f, f, f, f],
                [f, f, f, f, f, f, f, f],
            ]
        );
    }

    #[test]
    fn a_rebind_never_touches_the_pci_device() {
        let steps = record(&[NicSpec::new(Kind::Cassini2)], |operation| {
            let pci = "0000:21:00.0".parse().expect("address");
            operation.unbind(pci)?;
            operation.bind(pci).map(drop)
        });
        assert!(
            steps.iter().all(|(step, parts)| *step != PciDevice && parts[0]),
            "{steps:?}"
        );
        assert_eq!(steps.last().map(|(step, _)| *step), Some(Cxi));
    }

    #[test]
    fn vfs_go_before_their_pf() {
        let specs = [NicSpec::new(Kind::Cassini1), NicSpec::new(Kind::Cassini1Vf)];
        let steps = record(&specs, |operation| {
            operation.remove("0000:21:00.0".parse().expect("address"))
        });
        // Fourteen steps: the seven of the VF, in which the PF stays whole, then those of the PF.
        assert_eq!(steps.len(), 14);
        assert!(steps.iter().take(7).all(|(_, parts)| *parts == [true; 8]), "{steps:?}");
    }
}
