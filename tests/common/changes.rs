//! What is done to a NIC to make one of its conditions come out otherwise.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cxi_device_plugin::host::nics::cordons;
use cxi_sim::node::Node;

/// What is done to a NIC.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// An attribute gets another value.
    Set(&'static str, &'static [u8]),
    /// An attribute, or a link, is gone.
    Unset(&'static str),
    /// The link `driver` names another one.
    Driver(&'static str),
    /// A file of the node outside the NIC's directory is gone.
    Remove(&'static str),
    /// The fabric link goes down.
    LinkDown,
    /// An admin takes it out of use.
    Cordon(&'static str),
    /// The admin takes that back.
    Uncordon,
    /// The order is a directory.
    CordonDirectory,
    /// The order is a link that leads nowhere.
    CordonLink,
    /// The directory of the orders is none.
    CordonsFile,
    /// There is a netdev with a name before all others, in this state.
    FirstNetdev(&'static str),
    /// The link has restarted so many seconds ago, each in an entry of its own.
    Restarts(&'static [u64]),
    /// The driver lets go of it.
    Unbind,
    /// The driver is bound to it.
    Bind,
    /// The one after the other.
    Rebind,
    /// Link, fabric address and retry handler cannot be read.
    Blind,
    /// They can.
    Seeing,
    /// Someone looks; what that look found is remembered.
    Look,
    /// Someone looks while the clock is so many seconds behind.
    LookBefore(u64),
}

impl Change {
    /// Does it at this time of day, with the daemon's own directory at `run_dir`.
    pub fn make(&self, node: &Node, run_dir: &Path, pci: &str, now: u64) {
        let cordons = cordons::directory(run_dir);
        match self {
            Self::Set(attribute, value) => node.set(pci, attribute, value).unwrap(),
            Self::Unset(attribute) => node.unset(pci, attribute).unwrap(),
            Self::Driver(name) => {
                node.unset(pci, "driver").unwrap();
                let link = sysfs(node, pci).join("driver");
                symlink(format!("../../../../bus/pci/drivers/{name}"), link).unwrap();
            }
            Self::Remove(path) => fs::remove_file(node.root().join(path)).unwrap(),
            Self::LinkDown => node.link(pci, false).unwrap(),
            Self::Cordon(reason) => {
                fs::create_dir_all(&cordons).unwrap();
                fs::write(cordons.join(pci), reason).unwrap();
            }
            Self::Uncordon => fs::remove_file(cordons.join(pci)).unwrap(),
            Self::CordonDirectory => fs::create_dir_all(cordons.join(pci)).unwrap(),
            Self::CordonLink => {
                fs::create_dir_all(&cordons).unwrap();
                symlink("nowhere", cordons.join(pci)).unwrap();
            }
            Self::CordonsFile => {
                let _ = fs::remove_dir_all(&cordons);
                fs::create_dir_all(run_dir).unwrap();
                fs::write(&cordons, "").unwrap();
            }
            Self::FirstNetdev(operstate) => {
                let directory = sysfs(node, pci).join("net/aaa0");
                fs::create_dir(&directory).unwrap();
                for (name, value) in [
                    ("address", "02:00:00:00:00:77\n"),
                    ("addr_assign_type", "3\n"),
                    ("carrier", "1\n"),
                    ("operstate", *operstate),
                ] {
                    fs::write(directory.join(name), value).unwrap();
                }
            }
            Self::Restarts(ago) => {
                for (entry, ago) in ago.iter().enumerate() {
                    let value = format!("{}\n", now - ago);
                    node.set(pci, &format!("link_restarts/time_{entry}"), value.as_bytes())
                        .unwrap();
                }
            }
            Self::Unbind => node.unbind(pci).unwrap(),
            Self::Bind => drop(node.bind(pci).unwrap()),
            Self::Rebind => drop(node.rebind(pci).unwrap()),
            Self::Blind => {
                for attribute in ["link", "nid", "pct_eq"] {
                    node.unset(pci, &format!("properties/{attribute}")).unwrap();
                }
            }
            Self::Seeing => {
                for (attribute, value) in [("link", "1\n"), ("nid", "0x12\n"), ("pct_eq", "7\n")] {
                    node.set(pci, &format!("properties/{attribute}"), value.as_bytes())
                        .unwrap();
                }
            }
            Self::Look | Self::LookBefore(_) => {}
        }
    }
}

fn sysfs(node: &Node, pci: &str) -> PathBuf {
    node.root().join("sys/bus/pci/devices").join(pci)
}
