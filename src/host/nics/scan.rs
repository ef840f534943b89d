//! One look at the node: which NICs there are, each of them, and what containers get beside them.
//!
//! Only attributes that the driver answers from its memory are read; the card's own texts come from [`super::fru`].

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use super::attributes::Attributes;
use super::beside::{self, Beside};
use super::cordons::{self, Orders};
use super::fru::FruTexts;
use super::readers::{PATIENCE, Read, Readers};
use super::scan_options::ScanOptions;
use super::service_lists::{Answer, ServiceLists};
use super::survey::{ClassEntries, FunctionId, Survey, functions_directory};
use crate::host::clock::unix_seconds;
use crate::host::device::endings;
use crate::host::files::isolation;
use crate::host::files::roots::Roots;
use crate::model::nic::attributes::{Cordon, CxiName, DeviceNode};
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::pci::PciAddress;
use crate::model::reading::{ReadError, Reading};

/// Looks at the node. Remembers nothing but the cards' texts.
#[derive(Debug, Clone)]
pub struct Scanner {
    roots: Roots,
    options: ScanOptions,
    fru: Option<FruTexts>,
    services: Option<ServiceLists>,
    cordons: Option<PathBuf>,
}

impl Scanner {
    /// A scanner that leaves the cards' texts and the admin's orders alone.
    pub fn new(roots: Roots, options: impl Into<ScanOptions>) -> Self {
        Self {
            roots,
            options: options.into(),
            fru: None,
            services: None,
            cordons: None,
        }
    }

    /// A scanner for a long life: it has each card's texts read once in the background, asks for services there, and calls
    /// `on_news` when something has come; it reads the admin's orders, and which services are to end, in the directory of the daemon.
    pub fn for_daemon(self, run_dir: &Path, on_news: impl Fn() + Send + Sync + 'static) -> Self {
        let on_news: Arc<dyn Fn() + Send + Sync> = Arc::new(on_news);
        let of_services = Arc::clone(&on_news);
        Self {
            fru: Some(FruTexts::new(move || on_news())),
            services: Some(ServiceLists::new(endings::directory(run_dir), move || of_services())),
            ..self.with_cordons(cordons::directory(run_dir))
        }
    }

    /// A scanner that reads the admin's orders in this directory.
    pub fn with_cordons(self, cordons: PathBuf) -> Self {
        Self {
            cordons: Some(cordons),
            ..self
        }
    }

    /// Whether the cards' texts are to be read later.
    pub(super) fn put_off_texts(&self, is_put_off: bool) {
        if let Some(fru) = &self.fru {
            fru.put_off(is_put_off);
        }
    }

    /// The same scanner, with its memory, for something else beside NICs.
    pub fn with_options(&self, options: ScanOptions) -> Self {
        Self {
            options,
            ..self.clone()
        }
    }

    /// Everything there is now. Whatever cannot be read of a NIC is noted there and harms no other; what hangs is waited for
    /// only so long.
    ///
    /// # Errors
    /// The list of PCI functions cannot be read: that says nothing of the NICs, least of all that there are none.
    pub fn scan(&self) -> Reading<Inventory> {
        let scanner = Arc::new(self.clone());
        let begin_beside = Arc::clone(&scanner);
        let beside = beginning("libraries", move || begin_beside.beside());
        let begin_orders = Arc::clone(&scanner);
        let orders = beginning("cordons", move || begin_orders.orders());
        let nics = {
            let scanner = Arc::clone(&scanner);
            let look = move || scanner.nics(&mut Readers::new(|| {}), &BTreeMap::new());
            ended(beginning("node", look), "the node")
        };
        let beside = ended(beside, beside::WHAT).unwrap_or_else(|read_error| Beside::default().as_before(&read_error));
        Ok(self.inventory(nics?, beside, &ended(orders, "the cordons")))
    }

    /// Puts together what was found.
    pub(super) fn inventory(
        &self,
        (mut nics, mut problems): (Vec<Nic>, Vec<ReadError>),
        beside: Beside,
        orders: &Reading<Orders>,
    ) -> Inventory {
        problems.extend(beside.problems);
        for nic in &mut nics {
            nic.cordon = order_for(nic.address, orders);
        }
        let mut cordoned_absent = orders.clone().unwrap_or_default();
        nics.iter().for_each(|nic| drop(cordoned_absent.remove(&nic.address)));
        if let (Some(_), Err(read_error)) = (&self.cordons, orders) {
            problems.push(read_error.clone());
        }
        Inventory {
            sysfs: self.roots.sysfs.clone(),
            nics,
            cordoned_absent,
            libraries: beside.libraries,
            library_choices: beside.library_choices,
            library_directory: beside.library_directory,
            companion_nodes: beside.companion_nodes,
            problems,
        }
    }

    /// What containers get beside NICs. It may hang.
    ///
    /// # Errors
    /// As those of [`Beside::look`].
    pub(super) fn beside(&self) -> Reading<Beside> {
        Beside::look(&self.roots, &self.options)
    }

    /// Every NIC, and what makes no sense; of a NIC that hangs, what is known.
    ///
    /// # Errors
    /// As those of [`scan`](Self::scan).
    pub(super) fn nics(
        self: &Arc<Self>,
        readers: &mut Readers,
        known: &BTreeMap<PciAddress, Nic>,
    ) -> Reading<(Vec<Nic>, Vec<ReadError>)> {
        self.roots.take_fd_exhausted(); // what came before is of no matter
        let Survey {
            functions,
            classes,
            problems,
        } = Survey::take(&self.roots)?;
        let classes = Arc::new(classes);
        let read = |(address, id): (&PciAddress, &FunctionId)| -> (PciAddress, Read) {
            let (scanner, classes) = (Arc::clone(self), Arc::clone(&classes));
            let (address, id) = (*address, id.clone());
            (address, Box::new(move || Some(scanner.nic(address, id, &classes))))
        };
        let mut answers = readers.read(functions.iter().map(read).collect());
        let nics = functions.into_iter().map(|(address, id)| {
            let answer = answers.remove(&address).flatten();
            answer.unwrap_or_else(|| self.hanging_nic(address, id, classes.cxi_user.get(&address), known.get(&address)))
        });
        let nics = nics.collect();
        if let Some(fru) = &self.fru {
            fru.keep_only(&classes.cxi_user);
        }
        if let Some(services) = &self.services {
            services.keep_only(&classes.cxi_user);
        }
        self.saw_all()?;
        Ok((nics, problems))
    }

    /// These NICs alone; none when it takes a look at the whole node to tell.
    ///
    /// # Errors
    /// As those of [`scan`](Self::scan).
    pub(super) fn again(self: &Arc<Self>, readers: &mut Readers, known: &[Nic]) -> Reading<Option<Vec<Nic>>> {
        self.roots.take_fd_exhausted();
        let read = |known: &Nic| -> (PciAddress, Read) {
            let (scanner, known, address) = (Arc::clone(self), known.clone(), known.address);
            let read = move || {
                let Survey { functions, classes, .. } = Survey::of_one(&scanner.roots, &known)?;
                let (address, id) = functions.into_iter().next()?;
                Some(scanner.nic(address, id, &classes))
            };
            (address, Box::new(read))
        };
        let mut answers = readers.read(known.iter().map(read).collect());
        let nics = known.iter().map(|known| {
            let hanging = || {
                let id = known.generation.clone().map(|generation| (generation, None));
                Some(self.hanging_nic(known.address, id, known.cxi.as_ref().ok(), Some(known)))
            };
            answers.remove(&known.address).unwrap_or_else(hanging)
        });
        let nics = nics.collect();
        self.saw_all()?;
        Ok(nics)
    }

    /// What went away under the look, or was out of its reach, must not look like NICs that went away.
    fn saw_all(&self) -> Reading<()> {
        if self.roots.take_fd_exhausted() {
            return Err(ReadError::new(
                "the node",
                "too many open files: raise the limit (ulimit -n, LimitNOFILE=)",
            ));
        }
        let directory = functions_directory(&self.roots);
        fs::metadata(self.roots.local_path(&directory))
            .map(drop)
            .map_err(|error| ReadError::new(directory, error))
    }

    /// A NIC that does not answer, as it was. In another life of it, nothing is known.
    fn hanging_nic(&self, address: PciAddress, id: FunctionId, cxi: Option<&CxiName>, known: Option<&Nic>) -> Nic {
        let reason = "reading it hangs";
        match known {
            Some(nic) if nic.cxi.as_ref().ok() == cxi => Nic {
                answers: Err(ReadError::new(&nic.sysfs, reason)),
                ..nic.clone()
            },
            _ => {
                let functions = functions_directory(&self.roots);
                let generation = id.map(|(generation, _)| generation);
                let nic = Nic::unknown(address, functions, generation);
                Nic {
                    answers: Err(ReadError::new(&nic.sysfs, reason)),
                    ..nic
                }
            }
        }
    }

    fn nic(&self, address: PciAddress, id: FunctionId, classes: &ClassEntries) -> Nic {
        let sysfs = functions_directory(&self.roots).join(address.to_string());
        let read = Attributes::new(&self.roots, &sysfs);
        let cxi = classes.cxi_user.get(&address).copied().ok_or_else(|| {
            ReadError::new(
                self.roots.sysfs.join("class/cxi_user"),
                format!("no entry belongs to {address}"),
            )
        });
        let function = match &id {
            Ok((_, Some(function))) => *function,
            _ => read.function(),
        };
        let netdevs = read.netdevs();
        let netdev_is_elsewhere = netdevs
            .as_ref()
            .is_ok_and(|netdevs| netdevs.as_ref().is_some_and(Vec::is_empty));
        let mut netdevs = netdevs.map(|netdevs| netdevs.unwrap_or_default().into_iter());
        let netdev = netdevs.as_mut().map(Iterator::next).map_err(|error| error.clone());
        let told = match (&self.services, &cxi) {
            (Some(services), Ok(name)) => Some(services.known(address, *name, &self.roots)),
            _ => None,
        };
        let mut nic = Nic {
            address,
            answers: Ok(()),
            function,
            driver: read.link_name("driver"),
            node: cxi.clone().and_then(|name| self.device_node(name)),
            in_class_cxi: classes
                .cxi
                .as_ref()
                .map(|cxi| cxi.contains(&address))
                .map_err(Clone::clone),
            numa_node: match self.options.numa.get(&address) {
                Some(node) => Ok(Some(*node)),
                None => read.numa_node_or_near(&functions_directory(&self.roots)),
            },
            pci_directory: read.pci_directory(),
            driver_instance: read.inode("properties"),
            cordon: Err(ReadError::new("the cordons", "not read")),
            enable_count: read.number("enable"),
            config_vendor: read.config_vendor(),
            link: read.number("properties/link").map(|link| link == 1),
            nid: read.number("properties/nid"),
            retry_handler_eq: read.number("properties/pct_eq"),
            platform: read.number("properties/platform"),
            rgids_available: read.number("properties/rgids_avail"),
            pcie_uncorrectable_errors: read.number("properties/pcie_uncorr_err"),
            aer_fatal_errors: read.aer_total("aer_dev_fatal"),
            aer_nonfatal_errors: read.aer_total("aer_dev_nonfatal"),
            link_restarts: read.link_restarts(),
            pcie_link: read.pcie_link(),
            speed_mbps: read.speed(&netdev),
            reported_speeds: read.reported_speeds(&netdev),
            driver_revision: read.text("properties/driver_rev"),
            services: Err(ReadError::new(
                self.roots.dev.join("cxiN"),
                "its services were not asked for",
            )),
            lingering: Vec::new(),
            isolation: self.options.isolation.then(|| isolation::serves(&self.roots)),
            fru: match (&self.fru, &cxi) {
                (Some(fru), Ok(name)) => fru.texts(address, *name, &self.roots, &sysfs.join("fru")),
                _ => Err(ReadError::new(sysfs.join("fru"), "not read")),
            },
            generation: id.map(|(generation, _)| generation),
            cxi,
            netdev,
            further_netdevs: netdevs.into_iter().flatten().collect(),
            netdev_is_elsewhere,
            sysfs,
        };
        if let Some(Answer { services, endings }) = told {
            nic.services = services;
            nic.note_endings(&endings, unix_seconds(), self.options.lingers_after);
        }
        nic
    }

    /// The admin's orders. It may hang.
    ///
    /// # Errors
    /// They are not read, or cannot be.
    pub(super) fn orders(&self) -> Reading<Orders> {
        match &self.cordons {
            Some(directory) => cordons::read_all(directory),
            None => Err(ReadError::new("the cordons", "not read")),
        }
    }

    /// The node, if it is the character device that class `cxi_user` says it is: a stale node could be anything.
    fn device_node(&self, name: CxiName) -> Reading<DeviceNode> {
        let path = self.roots.dev.join(name.to_string());
        let read_error = |reason: String| ReadError::new(&path, reason);
        let metadata = fs::metadata(self.roots.local_path(&path)).map_err(|error| read_error(error.to_string()))?;
        if !metadata.file_type().is_char_device() {
            return Err(read_error("not a character device".to_owned()));
        }
        let node = DeviceNode {
            major: nix::sys::stat::major(metadata.rdev()),
            minor: nix::sys::stat::minor(metadata.rdev()),
            path: path.clone(),
        };
        let numbers = format!("{}:{}", node.major, node.minor);
        match self.roots.text(
            &self
                .roots
                .sysfs
                .join("class/cxi_user")
                .join(name.to_string())
                .join("dev"),
        ) {
            Ok(expected) if expected != numbers => Err(read_error(format!(
                "a stale node: it is {numbers}, the driver's is {expected}"
            ))),
            _ => Ok(node),
        }
    }
}

/// The order for this NIC among all of them.
pub(super) fn order_for(address: PciAddress, orders: &Reading<Orders>) -> Reading<Option<Cordon>> {
    orders
        .as_ref()
        .map(|orders| orders.get(&address).cloned())
        .map_err(Clone::clone)
}

/// Something that may hang, on a thread of its own.
struct Begun<T> {
    result: mpsc::Receiver<Reading<T>>,
    thread: thread::JoinHandle<()>,
}

/// The result of what was begun; the wait for the NICs themselves comes first.
fn ended<T>(begun: Reading<Begun<T>>, what: &str) -> Reading<T> {
    let Begun { result, thread } = begun?;
    let Ok(result) = result.recv_timeout(2 * PATIENCE) else {
        let seconds = 2 * PATIENCE.as_secs();
        return Err(ReadError::new(what, format!("a look at it hangs for {seconds} s")));
    };
    // It has nothing left to do; nobody shall find it who counts threads.
    let _ = thread.join();
    result
}

fn beginning<T: Send + 'static>(name: &str, what: impl FnOnce() -> Reading<T> + Send + 'static) -> Reading<Begun<T>> {
    let (send, result) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let work = move || {
        // Nobody may be waiting any more.
        let _ = send.send(what());
    };
    match thread.spawn(work) {
        Ok(thread) => Ok(Begun { result, thread }),
        Err(error) => Err(ReadError::new("the node", format!("cannot start a thread: {error}"))),
    }
}
