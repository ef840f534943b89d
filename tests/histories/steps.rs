//! What happens in a history: each step at random, without waiting for what comes of it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use cxi_sim::node::{Kind, Nic, NicSpec};
use nix::sys::signal::Signal;

use super::faults::{About, Fault};
use super::world::{Layout, World, copy_directory, point, remove, target};
use crate::common::daemon::RESOURCE;
use crate::common::hang::Hang;

/// What drop-ins say, each a change that the daemon takes without a restart; the last is refused.
const DROP_INS: [&str; 9] = [
    "exclude = [\"0000:21:00.0\"]\n",
    "[container.env]\nMODE = \"history\"\n",
    "[cdi]\nformat = \"json\"\n",
    "[cdi]\nall = false\nnames = [\"pci\"]\n",
    "[allocation]\nstrategy = \"cdi\"\n",
    "[health]\nlink = \"ignore\"\nnetdev-up = \"warn\"\n",
    "[health]\nhold_up = \"1h\"\n",
    "[health]\nhold_down = \"1h\"\n",
    "[health\n",
];

impl World {
    /// One step; some turn out to be none.
    pub fn step(&mut self) {
        match self.rng.u8(0..100) {
            0..22 => self.end_any(),
            22..40 => self.change_kubelet(),
            40..55 => self.change_cdi(),
            55..75 => self.change_node(),
            75..80 => self.change_libraries(),
            80..87 => self.change_cordons(),
            87..90 => self.change_configuration(),
            90..94 => self.fill_any_disk(),
            _ => self.change_daemon(),
        }
        self.assert_running();
        // Random timing is what is tested here; nothing waits for this to be long enough.
        let longest = if self.rng.u8(0..4) == 0 { 400_000 } else { 20_000 };
        thread::sleep(Duration::from_micros(self.rng.u64(0..longest)));
    }

    fn change_kubelet(&mut self) {
        if !self.is_free(About::Kubelet) {
            return;
        }
        let directory = self.host.kubelet_dir();
        let socket = directory.join("kubelet.sock");
        // It needs an inode for its socket when it starts.
        if self.faults.iter().any(
            |fault| matches!(fault, Fault::Full { fillers } if fillers.starts_with(self.host.path("disk-kubelet"))),
        ) {
            return;
        }
        match self.rng.u8(0..11) {
            0 | 1 => {
                self.note("kubelet restarts");
                self.kubelet.restart().unwrap();
            }
            2 => {
                self.begin("kubelet dies", Fault::KubeletDown);
                self.kubelet.stop();
            }
            3 => {
                self.begin("kubelet ends", Fault::KubeletDown);
                self.kubelet.shutdown();
            }
            4 => {
                self.kubelet.shutdown();
                let Ok(listener) = UnixListener::bind(&socket) else {
                    return self.begin("kubelet ends", Fault::KubeletDown);
                };
                self.begin("kubelet accepts and does not answer", Fault::KubeletDeaf(listener));
            }
            5 => {
                self.note("kubelet forgets us");
                self.kubelet.forget(RESOURCE);
            }
            6 => {
                let mode = [0o600, 0o660, 0o755, 0o777][self.rng.usize(..4)];
                self.note(format!("kubelet.sock gets mode {mode:o}"));
                let _ = fs::set_permissions(&socket, Permissions::from_mode(mode));
            }
            7 => {
                self.note("kubelet.sock gets a second name and loses it");
                let second = directory.join("second.sock");
                let _ = fs::hard_link(&socket, &second).and_then(|()| fs::remove_file(&second));
            }
            8 => self.stall_kubelet(),
            9 if self.kubelet_layout == Layout::Linked => {
                let real = self.host.path("disk-kubelet").join(self.another("kubelet"));
                if fs::create_dir(&real).is_ok() {
                    self.note("the link to kubelet's directory leads elsewhere, and kubelet restarts");
                    point(&directory, &real);
                    self.kubelet.restart().unwrap();
                }
            }
            9 => {
                let aside = self.aside("kubelet");
                self.note("kubelet's directory is renamed and made anew, and kubelet restarts");
                fs::rename(&directory, aside).unwrap();
                fs::create_dir(&directory).unwrap();
                self.kubelet.restart().unwrap();
            }
            _ if self.kubelet_layout == Layout::Plain => {
                self.take_away(About::Kubelet, directory);
            }
            _ => {}
        }
    }

    /// Until it comes back, whoever needs it has to do without.
    fn take_away(&mut self, about: About, place: PathBuf) {
        let aside = self.aside("away");
        if fs::rename(&place, &aside).is_ok() {
            let step = format!("{} is taken away", place.display());
            self.begin(step, Fault::Away { about, place, aside });
        }
    }

    /// It takes none of our lists while the links of the NICs go up and down.
    fn stall_kubelet(&mut self) {
        let nics: Vec<Nic> = self.touchable().into_iter().filter(|nic| nic.cxi.is_some()).collect();
        if !self.polls {
            return;
        }
        let times = self.rng.usize(1..30);
        self.note(format!("kubelet stalls while {times} links change"));
        let node = self.node.clone();
        let mut rng = self.rng.fork();
        self.stalled(|| {
            for _ in 0..times {
                if let Some(nic) = rng.choice(&nics) {
                    node.link(&nic.pci, rng.bool()).unwrap();
                }
                thread::sleep(Duration::from_micros(rng.u64(0..20_000)));
            }
        });
    }

    fn change_cdi(&mut self) {
        if !self.is_free(About::Cdi) {
            return;
        }
        let (directory, file) = (self.host.path("cdi"), self.host.spec_file());
        match self.rng.u8(0..11) {
            0 => {
                self.note("the CDI file is removed");
                let _ = fs::remove_file(&file);
            }
            1 => {
                self.note("the CDI file is cut");
                let _ = File::options()
                    .write(true)
                    .open(&file)
                    .and_then(|file| file.set_len(10));
            }
            2 => {
                self.note("the CDI file is edited");
                if let Ok(text) = fs::read_to_string(&file) {
                    let _ = fs::write(&file, text.replace("/dev/cxi", "/dev/sda"));
                }
            }
            3 => {
                self.note("the CDI file gets another mode");
                let _ = fs::set_permissions(&file, Permissions::from_mode(0o600));
            }
            4 => {
                self.note("the CDI file gets another name");
                let _ = fs::rename(&file, directory.join("aside.txt"));
            }
            5 | 6 => {
                let path = directory.join(["zz-copy.yaml", "aa-copy.json"][self.rng.usize(..2)]);
                if fs::copy(&file, &path).is_ok() {
                    let about = About::Cdi;
                    self.begin(format!("{} is a copy", path.display()), Fault::InTheWay { about, path });
                }
            }
            7 => {
                remove(&file);
                let what = if self.rng.bool() {
                    fs::create_dir(&file).map(|()| "directory")
                } else {
                    symlink("/dev/null", &file).map(|()| "link")
                };
                let about = About::Cdi;
                if let Ok(what) = what {
                    let step = format!("a {what} stands in place of the CDI file");
                    self.begin(step, Fault::InTheWay { about, path: file });
                }
            }
            8 if self.cdi_layout == Layout::Linked => {
                let real = self.host.path("disk-cdi").join(self.another("cdi"));
                if fs::create_dir(&real).is_ok() {
                    self.note("the link to the CDI directory leads elsewhere");
                    point(&directory, &real);
                }
            }
            8 => {
                let aside = self.aside("cdi");
                self.note("the CDI directory is renamed");
                let _ = fs::rename(&directory, aside);
            }
            9 if self.cdi_layout == Layout::Plain => {
                self.note("the CDI directory is removed");
                let _ = fs::remove_dir_all(&directory);
            }
            _ if self.cdi_layout == Layout::Plain => self.take_away(About::Cdi, directory),
            _ => {}
        }
    }

    fn touchable(&self) -> Vec<Nic> {
        let nics = self.node.nics().unwrap();
        nics.into_iter().filter(|nic| self.is_touchable(&nic.pci)).collect()
    }

    fn change_node(&mut self) {
        let sysfs = self.node.root().join("sys/bus/pci/devices");
        let nics = self.touchable();
        let has_sysfs = sysfs.is_dir();
        let Some(nic) = self.rng.choice(&nics).filter(|_| has_sysfs).cloned() else {
            return;
        };
        let pci = nic.pci.as_str();
        match (self.rng.u8(0..14), nic.cxi) {
            (0, _) if nics.len() < 5 => {
                let kind = [Kind::Cassini1, Kind::Cassini2][self.rng.usize(..2)];
                let added = self.node.add(&NicSpec::new(kind)).unwrap();
                self.note(format!("{added} is plugged in"));
            }
            (0 | 1, _) if nics.len() > 1 => {
                self.note(format!("{pci} is unplugged"));
                self.node.remove(pci).unwrap();
            }
            (_, None) => {
                self.note(format!("{pci} gets its driver"));
                self.node.bind(pci).unwrap();
            }
            (0..=3, _) => {
                self.note(format!("{pci} loses its driver"));
                self.node.unbind(pci).unwrap();
            }
            (4 | 5, _) => {
                self.note(format!("{pci} gets another number"));
                self.node.rebind(pci).unwrap();
            }
            (6..=8, _) => self.change_link(&nic),
            (9, _) if self.polls => {
                let (attribute, value): (_, &[u8]) = [
                    ("properties/pct_eq", b"0\n".as_slice()),
                    ("properties/pct_eq", b"12\n"),
                    ("properties/nid", b"0xffffffff\n"),
                    ("enable", b"0\n"),
                    ("numa_node", b"1\n"),
                ][self.rng.usize(..5)];
                self.note(format!("{pci}: {attribute} gets another value"));
                self.node.set(pci, attribute, value).unwrap();
            }
            (10, Some(number)) if self.is_free(About::Node) => {
                let aside = self.aside("node");
                let node = self.node.root().join(format!("dev/cxi{number}"));
                if fs::rename(&node, &aside).is_ok() {
                    let (step, nic) = (format!("{} is gone", node.display()), nic.pci.clone());
                    self.begin(step, Fault::NodeGone { nic, node, aside });
                }
            }
            (11 | 12, _) if self.rights.hangs && self.is_free(About::Node) => {
                let part = sysfs.join(pci).join("properties");
                let (about, hang) = (About::Node, Hang::at(part.canonicalize().unwrap()));
                let nic = Some(nic.pci.clone());
                self.begin(format!("{pci} hangs"), Fault::Hangs { about, nic, hang });
            }
            // Nothing tells of it.
            (13, _) if self.polls && self.is_free(About::Node) => self.take_away(About::Node, sysfs),
            _ => {}
        }
    }

    fn change_link(&mut self, nic: &Nic) {
        let is_told = nic.netdev.as_deref() == Some("lo");
        if !self.polls && !is_told {
            return;
        }
        let up = self.rng.bool();
        self.note(format!("the link of {} is {}", nic.pci, if up { "up" } else { "down" }));
        self.node.link(&nic.pci, up).unwrap();
        if is_told {
            self.tell_of_link();
        }
    }

    fn change_libraries(&mut self) {
        if !self.is_free(About::Libraries) {
            return;
        }
        let place = self.node.root().join("opt/cray/lib64");
        match self.rng.u8(0..5) {
            0 | 1 => {
                let directory = self.node.root().join("usr/lib64");
                let (name, link) = (self.another("libcxi.so.1.7"), directory.join("libcxi.so.1"));
                let old = target(&link);
                self.note(format!("libcxi is {name}"));
                fs::copy(directory.join(old), directory.join(&name)).unwrap();
                point(&link, name.as_ref());
            }
            2 if self.libraries_layout == Layout::Linked => {
                let real = place.with_file_name(self.another("lib64"));
                self.note("the link to libfabric's directory leads elsewhere");
                copy_directory(&place, &real);
                point(&place, real.file_name().unwrap().as_ref());
            }
            2 => self.take_away(About::Libraries, place),
            3 if self.rights.hangs => {
                let (about, nic, hang) = (About::Libraries, None, Hang::at(place.canonicalize().unwrap()));
                self.begin("libfabric's directory hangs", Fault::Hangs { about, nic, hang });
            }
            _ => {}
        }
    }

    fn change_cordons(&mut self) {
        let nics = self.node.nics().unwrap();
        let Some(nic) = self.rng.choice(&nics).cloned() else {
            return;
        };
        let file = self.host.path("run/cordoned").join(&nic.pci);
        match self.rng.u8(0..5) {
            0 | 1 => {
                self.note(format!("an admin cordons {}", nic.pci));
                self.admin(&["cordon", &nic.pci, "--reason", "a history"]);
            }
            2 => {
                self.note(format!("an admin uncordons {}", nic.pci));
                self.admin(&["uncordon", &nic.pci]);
            }
            3 => {
                self.note(format!("{} is cordoned by a file that is no text", nic.pci));
                let _ = file.parent().map(fs::create_dir_all);
                let _ = fs::write(&file, b"\xff\xfe\n");
            }
            _ => {
                self.note(format!("the cordon of {} is removed", nic.pci));
                let _ = fs::remove_file(&file);
            }
        }
    }

    fn change_configuration(&mut self) {
        if !self.is_free(About::Configuration) || self.daemon.is_none() {
            return;
        }
        let number = self.rng.usize(..DROP_INS.len());
        let (text, broken) = (DROP_INS[number], number + 1 == DROP_INS.len());
        let folder = self.host.path("config.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("50-history.toml"), text).unwrap();
        self.begin(format!("SIGHUP with {text:?}"), Fault::DropIn { broken });
        self.signal_daemon(Signal::SIGHUP);
    }

    fn fill_any_disk(&mut self) {
        if !self.rights.mounts || !self.is_free(About::Disk) {
            return;
        }
        let mut disks = vec!["run"];
        let linked = [(self.cdi_layout, "disk-cdi"), (self.kubelet_layout, "disk-kubelet")];
        let linked = linked.iter().filter(|(layout, _)| *layout == Layout::Linked);
        disks.extend(linked.map(|(_, disk)| *disk));
        let disk = disks[self.rng.usize(..disks.len())];
        // As above.
        if disk != "disk-kubelet" || self.is_free(About::Kubelet) {
            self.fill_disk(disk);
        }
    }

    fn change_daemon(&mut self) {
        let refuses = |fault: &Fault| matches!(fault, Fault::DropIn { broken: true });
        if self.daemon.is_none() || self.faults.iter().any(refuses) {
            return;
        }
        let gracefully = self.rng.bool();
        let how = if gracefully { "SIGTERM" } else { "SIGKILL" };
        match self.rng.u8(0..3) {
            0 => {
                self.begin(format!("{how} of the daemon"), Fault::DaemonDown);
                self.end_daemon(gracefully);
            }
            1 => {
                self.note(format!("{how} and a new start of the daemon"));
                self.end_daemon(gracefully);
                self.start_daemon();
            }
            _ => {
                self.note("SIGHUP");
                self.signal_daemon(Signal::SIGHUP);
            }
        }
    }
}
