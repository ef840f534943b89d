//! What lasts until it is ended.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::world::{World, fill, remove};
use crate::common::hang::Hang;

/// What a fault is about: there is one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Kubelet,
    Cdi,
    Node,
    Libraries,
    Disk,
    Configuration,
    Daemon,
}

/// A fault that is on, with what it takes to end it.
pub enum Fault {
    KubeletDown,
    /// Somebody listens at its socket and never answers.
    KubeletDeaf(UnixListener),
    /// A directory is elsewhere.
    Away {
        about: About,
        place: PathBuf,
        aside: PathBuf,
    },
    /// Something stands where it should not.
    InTheWay {
        about: About,
        path: PathBuf,
    },
    Full {
        fillers: PathBuf,
    },
    /// A part of a NIC, or the libraries.
    Hangs {
        about: About,
        nic: Option<String>,
        hang: Hang,
    },
    /// A device node is gone.
    NodeGone {
        nic: String,
        node: PathBuf,
        aside: PathBuf,
    },
    DropIn {
        broken: bool,
    },
    DaemonDown,
}

impl Fault {
    pub fn about(&self) -> About {
        match self {
            Self::KubeletDown | Self::KubeletDeaf(_) => About::Kubelet,
            Self::Away { about, .. } | Self::InTheWay { about, .. } | Self::Hangs { about, .. } => *about,
            Self::Full { .. } => About::Disk,
            Self::NodeGone { .. } => About::Node,
            Self::DropIn { .. } => About::Configuration,
            Self::DaemonDown => About::Daemon,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::KubeletDown => "kubelet starts again".to_owned(),
            Self::KubeletDeaf(_) => "the deaf kubelet ends and kubelet starts".to_owned(),
            Self::Away { place, .. } => format!("{} comes back", place.display()),
            Self::InTheWay { path, .. } => format!("{} is removed", path.display()),
            Self::Full { fillers } => format!("the disk of {} has room again", fillers.display()),
            Self::Hangs { nic, .. } => format!("{} answers again", nic.as_deref().unwrap_or("the library directory")),
            Self::NodeGone { node, .. } => format!("{} comes back", node.display()),
            Self::DropIn { .. } => "the configuration is as before; SIGHUP".to_owned(),
            Self::DaemonDown => "the daemon starts".to_owned(),
        }
    }
}

impl World {
    pub fn is_free(&self, about: About) -> bool {
        self.faults.iter().all(|fault| fault.about() != about)
    }

    /// Whether this NIC may be touched: a look at one that hangs would hang us.
    pub fn is_touchable(&self, pci: &str) -> bool {
        self.faults.iter().all(|fault| match fault {
            Fault::Hangs { nic: Some(nic), .. } | Fault::NodeGone { nic, .. } => nic != pci,
            Fault::Away { about, .. } => *about != About::Node,
            _ => true,
        })
    }

    pub fn begin(&mut self, step: impl Into<String>, fault: Fault) {
        self.note(step);
        self.faults.push(fault);
    }

    pub fn fill_disk(&mut self, place: &str) {
        let fillers = self.host.path(place).join("fillers");
        if fs::create_dir(&fillers).is_err() {
            return;
        }
        self.note(format!("the disk of {place} is full"));
        if self.rng.bool() {
            fill(&fillers.join("bytes"));
        } else {
            let mut number = 0;
            while fs::write(fillers.join(number.to_string()), "").is_ok() {
                number += 1;
            }
        }
        self.faults.push(Fault::Full { fillers });
    }

    /// Ends one of the faults.
    pub fn end_any(&mut self) {
        if self.faults.is_empty() {
            return;
        }
        let which = self.rng.usize(..self.faults.len());
        let fault = self.faults.swap_remove(which);
        self.note(format!("end: {}", fault.name()));
        match fault {
            Fault::KubeletDown => self.kubelet.boot().unwrap(),
            Fault::KubeletDeaf(listener) => {
                drop(listener);
                self.kubelet.boot().unwrap();
            }
            Fault::Away { place, aside, .. } => {
                remove(&place);
                fs::rename(aside, place).unwrap();
            }
            Fault::InTheWay { path, .. } => remove(&path),
            Fault::Full { fillers } => remove(&fillers),
            Fault::Hangs { hang, .. } => hang.end(),
            Fault::NodeGone { node, aside, .. } => fs::rename(aside, node).unwrap(),
            Fault::DropIn { .. } => {
                fs::remove_file(self.host.path("config.d/50-history.toml")).unwrap();
                self.signal_daemon(Signal::SIGHUP);
            }
            Fault::DaemonDown => self.start_daemon(),
        }
    }
}
