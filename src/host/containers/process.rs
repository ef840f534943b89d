//! A process of a container, by its folder in `/proc`. Everything there may be of the process's own making, and it may end
//! at any moment: the folder is held open, so that another process of the same number is never taken for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, major, minor};
use thiserror::Error;

use super::loader_view;
use super::node_names::NodeNames;
use crate::host::files::roots::Roots;
use crate::host::files::untrusted::Place;
use crate::host::nics::attributes::Attributes;
use crate::model::container::{
    CompanionInContainer, ContainerFacts, FileInContainer, GivenFacts, HeldNode, NicInContainer, NodeInContainer,
    Userfaultfd, parse,
};
use crate::model::libs::image::ImageFacts;
use crate::model::nic::attributes::Netdev;
use crate::model::nic::inventory::Nic;
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};
use crate::model::status::NicStatus;

/// Bounds of what is read of a process; the kernel itself stops most of it at a page or at the size of the arguments.
const TEXT_LIMIT: u64 = 4 << 20;
/// Entries of its `/dev` that are looked at; the host's own has a few hundred.
const NODES: usize = 4096;

/// Why a process cannot be looked at.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// Nobody has this number.
    #[error(
        "there is no process {0}: give the one of the container as the host numbers it (podman inspect -f '{{{{.State.Pid}}}}', crictl inspect)"
    )]
    None(u32),
    /// It is over.
    #[error("process {0} has ended: give one of a container that runs")]
    Ended(u32),
    /// It belongs to somebody else.
    #[error("process {0} belongs to another user, and only root can look into its container: run this as root")]
    Permission(u32),
    /// Something else.
    #[error("cannot look at process {pid}")]
    Io {
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

/// A process, held.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    folder: File,
    /// Its name by its own word.
    pub command: String,
    /// Its root.
    root: Roots,
    place: Place,
}

impl Process {
    /// Takes hold of process `pid` of the host. `place` tells where a look at it is.
    pub fn find(host: &Roots, pid: u32, place: &Place) -> Result<Self, ProcessError> {
        let path = host.local_path(&Path::new("/proc").join(pid.to_string()));
        let folder = File::options().read(true).custom_flags(OFlag::O_PATH.bits()).open(path);
        let folder = folder.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ProcessError::None(pid),
            _ => ProcessError::Io { pid, source },
        })?;
        let root = format!("/proc/{pid}/root");
        let root = Roots::untrusted(&within(&folder, "root"), Path::new(&root), place);
        let root = root.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => ProcessError::Permission(pid),
            io::ErrorKind::NotFound => ProcessError::Ended(pid),
            _ => ProcessError::Io { pid, source },
        });
        let mut process = Self {
            pid,
            folder,
            command: String::new(),
            root: root?,
            place: place.clone(),
        };
        let status = process.status()?;
        process.command = parse::field(&status, "Name").unwrap_or("?").to_owned();
        Ok(process)
    }

    /// Everything about the container, and about each NIC in it, that decides whether libfabric accepts it. `assess` is asked
    /// for the conditions of a NIC with its interface as the container sees it.
    ///
    /// # Errors
    /// The process has ended meanwhile, so that what was read means nothing.
    pub fn look(
        &self,
        host: &Roots,
        nics: &[Nic],
        assess: impl Fn(&Nic) -> NicStatus,
    ) -> Result<(ContainerFacts, Vec<NicInContainer>), ProcessError> {
        let container = self.container(host)?;
        let names = NodeNames::find(&self.root, nics);
        let views = nics.iter().map(|nic| self.view(host, nic, &names, &assess)).collect();
        self.status()?;
        Ok((container, views))
    }

    /// What it holds in `/dev` of these NICs, whatever the nodes are called there, and what `variable` says it was given.
    pub fn given(&self, nics: &[Nic], variable: &str) -> GivenFacts {
        let environment = self.text("environ").map(|bytes| parse::environment(&bytes));
        GivenFacts {
            given: environment.map(|environment| parse::given(&environment, variable)),
            held: self.held(nics),
            variable: variable.to_owned(),
        }
    }

    /// Whether it is in a pod.
    pub fn is_of_pod(&self) -> bool {
        let cgroup = self.utf8("cgroup");
        cgroup.is_ok_and(|cgroup| parse::cgroup_of_pod(&cgroup).is_some())
    }

    fn held(&self, nics: &[Nic]) -> Reading<Vec<HeldNode>> {
        let folder = Path::new("/dev");
        let mut names = self.root.names_if_there(folder)?;
        // Those first that are called like ours: of several names of a NIC one is enough.
        names.sort_by_key(|name| !name.starts_with("cxi"));
        let mut held: Vec<HeldNode> = Vec::new();
        for name in names.iter().take(NODES) {
            let path = folder.join(name);
            // What vanishes meanwhile, or leads nowhere, is nobody's node.
            let Ok(Some(status)) = self.root.look(&path) else {
                continue;
            };
            let numbers = (major(status.st_rdev), minor(status.st_rdev));
            let is_device = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
            let is_its = |nic: &&Nic| nic.node.as_ref().is_ok_and(|node| (node.major, node.minor) == numbers);
            let mut its = nics.iter().filter(|_| is_device).filter(is_its);
            // Where numbers are not the kernel's own, several NICs may have them: then by name.
            let by_name = |nic: &&Nic| nic.cxi.as_ref().is_ok_and(|cxi| cxi.to_string() == *name);
            let nic = its.clone().find(by_name).or_else(|| its.next()).map(|nic| nic.address);
            if let Some(nic) = nic.filter(|nic| held.iter().all(|node| node.nic != *nic)) {
                let path = path.display().to_string();
                held.push(HeldNode { path, nic });
            }
        }
        Ok(held)
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// It has.
    pub fn still_there(&self) -> Result<(), ProcessError> {
        self.status().map(drop)
    }

    fn container(&self, host: &Roots) -> Result<ContainerFacts, ProcessError> {
        let environment = self.text("environ").map(|bytes| parse::environment(&bytes));
        let path = environment.iter().flatten().find(|(key, _)| *key == "LD_LIBRARY_PATH");
        let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
        let in_host_users = self.shares(host, "user");
        let users = *in_host_users.as_ref().unwrap_or(&false);
        let memlock = self.utf8("limits").and_then(|limits| {
            parse::memlock(&limits).ok_or_else(|| self.read_error("limits", "no limit of locked memory in it"))
        });
        let status = self.status()?;
        let map = |name: &str| self.utf8(name).unwrap_or_default();
        let identity = parse::identity(&status, users, (&map("uid_map"), &map("gid_map")));
        let program = within(&self.folder, "exe").read_link().ok();
        let libraries = loader_view::running_facts(host, &self.root, &path, program.as_deref());
        Ok(ContainerFacts {
            identity: identity.ok_or_else(|| self.failed(io::Error::other("its status names no user")))?,
            in_host_network: self.shares(host, "net"),
            in_host_users,
            netns: self.namespace("net").ok().and_then(|link| parse::namespace(&link)),
            memlock,
            library_files: self.library_files(&libraries),
            libraries,
            kdreg2: self.kdreg2(host),
            userfaultfd: Userfaultfd {
                is_filtered: parse::is_filtered(&status),
                is_permitted: may_always(host) || (users && parse::may_trace(&status)),
            },
            environment,
            class: self.root.names(Path::new(CLASS)).map(drop),
        })
    }

    /// What it has to be let into, and to read, for its loader to load libfabric.
    fn library_files(&self, libraries: &ImageFacts) -> Vec<FileInContainer> {
        let loaded = libraries.loading.loaded.iter().map(|loaded| loaded.path.clone());
        let real = |path: PathBuf| [self.root.resolve(&path).ok(), Some(path)].into_iter().flatten();
        let files: BTreeSet<PathBuf> = loaded.flat_map(real).collect();
        let ancestors = files.iter().flat_map(|file| file.ancestors().skip(1));
        // Without its top nothing runs at all.
        let below_top = ancestors.filter(|directory| directory.parent().is_some());
        let directories: BTreeSet<PathBuf> = below_top.map(Path::to_owned).collect();
        let all = directories.into_iter().chain(files);
        let look = |path: PathBuf| {
            let status = self.root.look(&path).ok().flatten()?;
            Some(FileInContainer {
                is_directory: SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR,
                mode: status.st_mode & 0o7777,
                owner: (status.st_uid, status.st_gid),
                path,
            })
        };
        all.filter_map(look).collect()
    }

    fn kdreg2(&self, host: &Roots) -> Reading<CompanionInContainer> {
        let of_host = host.look(&host.dev.join("kdreg2")).ok().flatten();
        Ok(CompanionInContainer {
            node: self.node(host, "kdreg2")?,
            host: of_host.map(|status| (major(status.st_rdev), minor(status.st_rdev))),
        })
    }

    /// Whether it is in the same namespace of this kind as the host's first process.
    fn shares(&self, host: &Roots, namespace: &str) -> Reading<bool> {
        let own = self.namespace(namespace)?;
        let hosts = Path::new("/proc/1/ns").join(namespace);
        let hosts = host
            .link_target(&hosts)?
            .ok_or_else(|| ReadError::new(&hosts, "missing"))?;
        Ok(own == hosts)
    }

    /// Its own namespace of this kind, as the kernel writes it.
    fn namespace(&self, namespace: &str) -> Reading<PathBuf> {
        let name = format!("ns/{namespace}");
        let own = within(&self.folder, &name).read_link();
        own.map_err(|error| self.read_error(&name, error))
    }

    fn view(&self, host: &Roots, nic: &Nic, names: &NodeNames, assess: &impl Fn(&Nic) -> NicStatus) -> NicInContainer {
        let cxi = nic.cxi.as_ref().ok();
        let in_container = cxi.and_then(|cxi| names.of(nic, *cxi));
        let entry = cxi.map(|cxi| Path::new(CLASS).join(cxi.to_string()).join("device"));
        let netdev = self.netdev(nic.address);
        let device = entry.as_deref().map(|entry| self.function_of(entry));
        NicInContainer {
            numbers: nic.node.as_ref().ok().map(|node| (node.major, node.minor)),
            node: in_container.map_or(Ok(None), |name| self.node(host, &name.to_string())),
            old_name: in_container
                .filter(|name| Some(name) != cxi)
                .map(|name| name.to_string()),
            in_class: match device {
                Some(device) => device.map(|device| device == Some(nic.address)),
                None => Ok(false),
            },
            has_resource: match entry {
                Some(entry) => self.root.look(&entry.join("resource0")).map(|found| found.is_some()),
                None => Ok(false),
            },
            has_netdev: netdev.as_ref().map(Option::is_some).map_err(Clone::clone),
            nic: assess(&Nic {
                netdev,
                further_netdevs: Vec::new(),
                ..nic.clone()
            }),
        }
    }

    fn node(&self, host: &Roots, name: &str) -> Reading<Option<NodeInContainer>> {
        let path = format!("/dev/{name}");
        let Some(status) = self.root.look(Path::new(&path))? else {
            return Ok(None);
        };
        let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
        let numbers = (major(status.st_rdev), minor(status.st_rdev));
        Ok(Some(NodeInContainer {
            is_char_device: kind == SFlag::S_IFCHR,
            numbers,
            mode: status.st_mode & 0o7777,
            owner: (status.st_uid, status.st_gid),
            nodev: self
                .utf8("mountinfo")
                .is_ok_and(|mounts| parse::is_nodev(&mounts, &path)),
            cgroup_allows: self.cgroup_allows(host, numbers),
        }))
    }

    /// None where cgroup v1 does not rule devices: the rules of v2 cannot be read.
    fn cgroup_allows(&self, host: &Roots, numbers: (u64, u64)) -> Option<bool> {
        let cgroup = self.utf8("cgroup").ok()?;
        let path = parse::device_cgroup(&cgroup)?.trim_start_matches('/');
        if path.split('/').any(|name| name == "..") {
            return None;
        }
        let list = Path::new("/sys/fs/cgroup/devices").join(path).join("devices.list");
        let list = String::from_utf8(host.bytes(&list, TEXT_LIMIT).ok()?).ok()?;
        Some(parse::cgroup_allows(&list, numbers))
    }

    /// As libfabric finds it: the interface whose device has this address.
    fn netdev(&self, address: PciAddress) -> Reading<Option<Netdev>> {
        let class = Path::new("/sys/class/net");
        for name in self.root.names_if_there(class)? {
            if self.function_of(&class.join(&name).join("device")) == Ok(Some(address)) {
                return Ok(Some(Attributes::new(&self.root, class).netdev("", name)));
            }
        }
        Ok(None)
    }

    /// The PCI function that a link called `device` leads to.
    fn function_of(&self, link: &Path) -> Reading<Option<PciAddress>> {
        let parent = link.parent().unwrap_or(link);
        let link = match self.root.resolve(parent) {
            Ok(parent) => parent.join("device"),
            Err(_) => return Ok(None),
        };
        let target = self.root.link_target(&link)?;
        let name = target
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        Ok(name.and_then(|name| name.parse().ok()))
    }

    fn status(&self) -> Result<String, ProcessError> {
        let status = self.utf8("status").map_err(|_| ProcessError::Ended(self.pid))?;
        match parse::field(&status, "State").and_then(|state| state.chars().next()) {
            Some('Z' | 'X') => Err(ProcessError::Ended(self.pid)),
            _ => Ok(status),
        }
    }

    fn utf8(&self, name: &str) -> Reading<String> {
        String::from_utf8(self.text(name)?).map_err(|_| self.read_error(name, "not a text"))
    }

    fn text(&self, name: &str) -> Reading<Vec<u8>> {
        self.place.enter(&self.path(name));
        let mut bytes = Vec::new();
        let read = File::open(within(&self.folder, name))
            .and_then(|file| file.take(TEXT_LIMIT + 1).read_to_end(&mut bytes))
            .map_err(|error| self.read_error(name, error))?;
        if read as u64 > TEXT_LIMIT {
            return Err(self.read_error(name, format!("longer than {TEXT_LIMIT} bytes")));
        }
        Ok(bytes)
    }

    fn read_error(&self, name: &str, reason: impl std::fmt::Display) -> ReadError {
        ReadError::new(self.path(name), reason)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }

    fn failed(&self, source: io::Error) -> ProcessError {
        ProcessError::Io { pid: self.pid, source }
    }
}

const CLASS: &str = "/sys/class/cxi_user";

/// Whether the kernel lets everybody have userfaultfd.
fn may_always(host: &Roots) -> bool {
    let sysctl = host.text(Path::new("/proc/sys/vm/unprivileged_userfaultfd"));
    sysctl.is_ok_and(|text| text.trim() == "1")
}

fn within(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}
