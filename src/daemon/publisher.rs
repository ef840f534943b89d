//! From a scan to the CDI file, the links by PCI address and kubelet, in the order that never promises what is not there:
//! what is lost leaves kubelet first, the file and its link after; what is new enters these first and kubelet after. What has
//! moved has its link re-pointed before anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::change_log::ChangeLog;
use super::health_monitor::HealthMonitor;
use super::link_keeper::LinkKeeper;
use super::strategy_chooser::StrategyChooser;
use crate::host::cdi_dir::directory::CdiDirectory;
use crate::host::cdi_dir::keeper::SpecKeeper;
use crate::host::files::atomic_file::WriteOutcome;
use crate::host::files::roots::Roots;
use crate::host::nics::scan_options::ScanOptions;
use crate::host::nics::scan_runner::{PartialLook, Preparation, ScanRunner};
use crate::host::worker::{NotDone, Worker};
use crate::kubelet::streams::Streams;
use crate::metrics::{CdiWrite, Meter};
use crate::model::alloc::snapshot::Snapshot;
use crate::model::alloc::strategy::Strategy;
use crate::model::cdi::model::Spec;
use crate::model::cdi::netdev_view;
use crate::model::cdi::render::{self, Policy};
use crate::model::cdi::resolution::Unresolved;
use crate::model::cdi::survey::CDI_DIRECTORIES;
use crate::model::config::Settings;
use crate::model::health::{Action, Check, Health};
use crate::model::message_id;
use crate::model::nic::inventory::{Inventory, Nic};
use crate::model::nic::node_link::{self, LinkFaults, Links};
use crate::model::nic::pci::PciAddress;
use crate::model::runtime::answer::Heard;
use crate::model::status::{CdiStatus, NodeStatus};

/// How long a removal waits for kubelet to take the news before the file changes all the same.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(1);

/// How long a CDI directory may take; one that hangs keeps no news from kubelet.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

/// What came of a look at some NICs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialRefresh {
    /// They are as they were, and nothing was done.
    Same,
    /// What is new was published.
    Changed {
        /// Whether the CDI file was written.
        has_written: bool,
    },
}

fn change_log(settings: &Settings) -> ChangeLog {
    let mut log = ChangeLog::default();
    log.takes_open_services(means_open_service(settings));
    log
}

/// Who does not care whether a pod could use a NIC leaves services to others.
fn means_open_service(settings: &Settings) -> bool {
    settings.health.policy.action(Check::CxiService) == Action::Ignore
}

/// Owns the state.
#[derive(Debug)]
pub struct Publisher {
    scan_runner: ScanRunner,
    health_monitor: HealthMonitor,
    policy: Policy,
    strategy: StrategyChooser,
    cdi: CdiDirectory,
    links: LinkKeeper,
    /// Those that were wanted when others were removed last.
    linked: Option<Arc<Links>>,
    /// Whether a NIC is kept from pods for want of a right link.
    lacks_link: bool,
    /// Where files are written, since a slow disk must not keep kubelet waiting.
    disk: Worker,
    streams: Arc<watch::Sender<Streams>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    on_disk: Option<Spec>,
    write_error: Option<String>,
    /// For the worker `disk` alone.
    keeper: Arc<Mutex<SpecKeeper>>,
    unresolved: Unresolved,
    /// What kubelet had taken when it was waited for in vain.
    stalled_at: Option<u64>,
    blind: Option<String>,
    interfaces: BTreeMap<String, PciAddress>,
    node: NodeStatus,
    /// What is published follows from this; none when that is not known.
    basis: Option<Basis>,
    change_log: ChangeLog,
    meter: Meter,
}

/// What a snapshot follows from, beside the settings.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    inventory: Inventory,
    strategy: Strategy,
    health: BTreeMap<PciAddress, Health>,
    links: LinkFaults,
    unresolved: Unresolved,
}

impl Publisher {
    /// Nothing is published before the first [`refresh`](Self::refresh). The worker is that of `run_dir`. Calls `on_news` when a
    /// write that hung has ended.
    pub fn new(
        scan_runner: ScanRunner,
        settings: &Settings,
        run_dir: Worker,
        streams: Arc<watch::Sender<Streams>>,
        meter: Meter,
        roots: &Roots,
        on_news: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Self {
        let usual = CDI_DIRECTORIES.map(|directory| roots.local_path(Path::new(directory)));
        Self {
            scan_runner,
            health_monitor: HealthMonitor::new(settings.health.policy.clone(), &settings.daemon.run_dir, run_dir),
            policy: settings.policy(),
            // Nobody says what the runtime is.
            strategy: StrategyChooser::new(settings, roots, watch::Sender::default().subscribe()),
            cdi: cdi_directory(settings),
            links: LinkKeeper::new(settings, roots, on_news.clone()),
            linked: None,
            lacks_link: false,
            disk: Worker::telling("cdi", on_news),
            streams,
            snapshots: watch::Sender::default(),
            on_disk: None,
            write_error: None,
            keeper: Arc::new(Mutex::new(SpecKeeper::new(usual.into()))),
            unresolved: Unresolved::new(),
            stalled_at: None,
            blind: None,
            interfaces: BTreeMap::new(),
            node: NodeStatus::default(),
            basis: None,
            change_log: change_log(settings),
            meter,
        }
    }

    /// The same, and this is what the container runtime says.
    pub fn hearing(mut self, runtime: watch::Receiver<Heard>) -> Self {
        self.strategy.hear(runtime);
        self
    }

    /// From the next look on, these settings count.
    pub fn adopt(&mut self, settings: &Settings) {
        self.scan_runner.adopt(ScanOptions::from_settings(settings));
        self.health_monitor.set_policy(settings.health.policy.clone());
        self.policy = settings.policy();
        self.change_log.takes_open_services(means_open_service(settings));
        self.strategy.adopt(settings);
        self.cdi = cdi_directory(settings);
        self.basis = None;
    }

    /// What is published, now and later.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// How containers get their NICs, as of the last look.
    pub fn strategy(&self) -> Strategy {
        self.snapshots.borrow().strategy
    }

    /// The life of kubelet in which what is published is what the runtime's last answer leads to; none if it is not.
    pub fn settled(&self) -> Option<u64> {
        self.strategy.settled()
    }

    /// Whether the last scan could look, and the CDI file and the links say what it saw; else it is worth another try.
    pub fn is_current(&self) -> bool {
        self.write_error.is_none() && self.blind.is_none() && !self.lacks_link
    }

    /// When something is to be published without a trigger; then the node is to be looked at. None while that is in vain.
    pub fn due(&self) -> Option<Instant> {
        self.health_monitor.due().filter(|_| self.blind.is_none())
    }

    /// The network interfaces of the NICs, as of the last look.
    pub fn interfaces(&self) -> BTreeSet<String> {
        self.interfaces.keys().cloned().collect()
    }

    /// The NIC of this network interface, as of the last look.
    pub fn nic_of(&self, interface: &str) -> Option<PciAddress> {
        self.interfaces.get(interface).copied()
    }

    /// What is seen of the node, as of the last look.
    pub fn node(&self) -> NodeStatus {
        NodeStatus {
            strategy: self.strategy.status(),
            blind: self.blind.clone(),
            cdi: CdiStatus {
                file: self.cdi.file(),
                error: self.write_error.clone(),
            },
            ..self.node.clone()
        }
    }

    /// Looks at the node and publishes what has changed; `prepare` comes before the look. Returns whether the CDI file was
    /// written, and its directory possibly made.
    pub async fn refresh(&mut self, prepare: &Preparation) -> bool {
        let written = match self.scan_runner.look(prepare).await {
            Ok(inventory) => self.saw(inventory).await,
            Err(read_error) => {
                self.cannot_look(read_error.to_string());
                false
            }
        };
        self.meter.current(self.blind.is_none(), self.write_error.is_none());
        written
    }

    /// Looks at these NICs alone, and publishes what has changed. Returns whether the CDI file was written; none when it takes
    /// a look at the whole node to tell.
    pub async fn refresh_nics(&mut self, nics: &BTreeSet<PciAddress>) -> Option<PartialRefresh> {
        if !self.is_current() {
            return None;
        }
        match self.scan_runner.look_at(nics).await {
            Ok(PartialLook::Same) => Some(PartialRefresh::Same),
            Ok(PartialLook::Changed(inventory)) => Some(PartialRefresh::Changed {
                has_written: self.saw(inventory).await,
            }),
            Ok(PartialLook::Unclear) | Err(_) => None,
        }
    }

    async fn saw(&mut self, mut inventory: Inventory) -> bool {
        if self.blind.take().is_some() {
            tracing::info!("the node can be looked at again");
        }
        let named = |nic: &Nic| {
            let address = nic.address;
            nic.interfaces()
                .map(|name| (name.to_owned(), address))
                .collect::<Vec<_>>()
        };
        self.interfaces = inventory.nics.iter().flat_map(named).collect();
        let problems = netdev_view::problems(&inventory, self.policy.netdev_view);
        inventory.problems.extend(problems);
        let unnameable = render::problems(&inventory, &self.policy);
        inventory.problems.extend(unnameable);
        self.publish(inventory).await
    }

    /// What was published stays: that we see nothing does not mean that there is nothing.
    fn cannot_look(&mut self, reason: String) {
        if self.blind.as_ref() != Some(&reason) {
            tracing::error!(
                message_id = message_id::NODE_UNREADABLE,
                reason,
                "cannot look for NICs, so all stays as it was: {reason}"
            );
        }
        self.blind = Some(reason);
    }

    async fn publish(&mut self, inventory: Inventory) -> bool {
        let strategy = self.strategy.choose().await;
        let health = self.health_monitor.judge(&inventory.nics);
        if let Some(written) = self.confirm(&inventory, strategy, &health).await {
            self.health_monitor.save();
            return written;
        }
        let mut next = Snapshot::new(&inventory, &self.policy, strategy, health.clone());
        let wanted = Arc::new(node_link::wanted(&inventory.nics));
        let spec = render::spec(&inventory, &self.policy);
        let before = Arc::clone(&self.snapshots.borrow());
        let (links, written) = if before.generation == 0 {
            // Before anything was published, nothing can be lost, and kubelet is not to hear of a list without NICs.
            let links = self.links.keep_only(&wanted);
            let (links, written) = tokio::join!(links, self.write(spec, strategy));
            let links = self.links.take(links);
            self.lacks_link = next.fail_unlinked(&links);
            (links, written)
        } else {
            let links = self.publish_links(&wanted, &before, &mut next).await;
            (links, self.write(spec, strategy).await)
        };
        self.linked = Some(wanted);
        if strategy == Strategy::Cdi {
            next.fail_unresolved(&self.unresolved, &self.policy.naming);
            self.announce_names(&before, &next).await;
        }
        self.change_log.tell(&inventory, &self.policy, &next);
        self.node = NodeStatus::new(&inventory, &next, |nic| self.policy.selection.withheld(nic));
        self.meter.published(&inventory, &next);
        self.send(next);
        self.basis = Some(Basis {
            inventory,
            strategy,
            health,
            links,
            unresolved: self.unresolved.clone(),
        });
        self.health_monitor.save();
        written
    }

    /// Where what is published follows from the same as before, only sees that links and file are as they are to be. Returns
    /// whether the file was written; none where there is news.
    async fn confirm(
        &mut self,
        inventory: &Inventory,
        strategy: Strategy,
        health: &BTreeMap<PciAddress, Health>,
    ) -> Option<bool> {
        let basis = self
            .basis
            .take_if(|basis| (&basis.inventory, basis.strategy, &basis.health) == (inventory, strategy, health))?;
        let wanted = self.linked.clone().filter(|_| self.write_error.is_none())?;
        let done = self.links.keep_only(&wanted).await;
        if self.links.take(done) != basis.links {
            return None;
        }
        let written = self.write(self.on_disk.clone(), strategy).await;
        let is_same = self.write_error.is_none() && self.unresolved == basis.unresolved;
        self.basis = is_same.then_some(basis);
        is_same.then_some(written)
    }

    /// What kubelet was told before may be asked for at any moment: links are right before it hears of anything new, and stay
    /// until it has heard that their NICs are gone.
    async fn publish_links(&mut self, wanted: &Arc<Links>, before: &Snapshot, next: &mut Snapshot) -> LinkFaults {
        let is_same = self.linked.as_ref() == Some(wanted);
        let faults = if is_same {
            let done = self.links.keep_only(wanted).await;
            self.links.take(done)
        } else {
            self.links.keep(wanted).await
        };
        self.lacks_link = next.fail_unlinked(&faults);
        if self.send(before.intermediate_to(next)) {
            self.delivered().await;
        }
        if !is_same {
            self.links.remove_others(wanted).await;
        }
        faults
    }

    /// Answers begin to name what is in CDI files: kubelet is to know before which NICs are not.
    async fn announce_names(&mut self, before: &Snapshot, next: &Snapshot) {
        if before.generation > 0 && before.strategy != next.strategy {
            let current = Arc::clone(&self.snapshots.borrow());
            if self.send(current.intermediate_to(next)) {
                self.delivered().await;
            }
        }
    }

    /// Publishes a snapshot unless it says what the one before said. The first one is always news: generation 0 means that
    /// nothing was ever published.
    fn send(&self, mut next: Snapshot) -> bool {
        self.snapshots.send_if_modified(|current| {
            next.generation = current.generation;
            // Generation 0 is what was there before anything could be looked at.
            let is_news = current.generation == 0 || **current != next;
            if is_news {
                next.generation += 1;
                *current = Arc::new(std::mem::take(&mut next));
            }
            is_news
        })
    }

    /// Waits until kubelet has taken what was published, or there is no stream. One that was waited for in vain is not
    /// waited for again before it takes something.
    async fn delivered(&mut self) {
        let generation = self.snapshots.borrow().generation;
        let mut streams = self.streams.subscribe();
        if self.stalled_at == Some(streams.borrow().delivered) {
            return;
        }
        let delivered = streams.wait_for(|streams| streams.open == 0 || streams.delivered >= generation);
        let in_time = timeout(DELIVERY_DEADLINE, delivered).await.is_ok();
        self.stalled_at = (!in_time).then(|| self.streams.borrow().delivered);
        if !in_time {
            tracing::warn!("kubelet does not take the device list; going on without it");
        }
    }

    async fn write(&mut self, spec: Option<Spec>, strategy: Strategy) -> bool {
        let (cdi, file) = (self.cdi.clone(), self.cdi.file());
        let keeper = Arc::clone(&self.keeper);
        // With `direct`, no pod is given a name.
        let uses_names = strategy == Strategy::Cdi;
        let publish = move || {
            let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
            let now = SystemTime::now();
            let kept = keeper.keep(&cdi, spec.as_ref(), now);
            let named = spec.as_ref().filter(|_| uses_names);
            let unresolved = named.map(|spec| keeper.unresolved(&cdi, spec, kept.is_ok(), now));
            (kept.map_err(anyhow::Error::new), spec, unresolved.unwrap_or_default())
        };
        let (published, spec) = match self.disk.run_within(DISK_PATIENCE, publish).await {
            Ok((published, spec, unresolved)) => {
                self.unresolved = unresolved;
                (published, spec)
            }
            // The same words as long as it lasts.
            Err(NotDone::Hangs(_) | NotDone::Busy) => {
                let directory = self.cdi.path.display();
                let error = anyhow::anyhow!("writing to {directory} hangs: is its file system in reach?");
                (Err(error), None)
            }
            Err(error) => (Err(error.into()), None),
        };
        match published {
            Ok(outcome) => {
                let was_tampered_with = spec.is_some() && spec == self.on_disk;
                log_cdi_write(&self.meter, &file, outcome, was_tampered_with);
                self.on_disk = spec;
                self.write_error = None;
                outcome == WriteOutcome::Written
            }
            Err(error) => {
                let error = format!("{error:#}");
                self.meter.cdi(CdiWrite::Failed);
                if self.write_error.as_ref() != Some(&error) {
                    tracing::error!(
                        message_id = message_id::CDI_FAILED,
                        file = %file.display(),
                        reason = error,
                        "the CDI file stays as it was: {error}"
                    );
                }
                self.write_error = Some(error);
                false
            }
        }
    }
}

fn cdi_directory(settings: &Settings) -> CdiDirectory {
    CdiDirectory {
        path: settings.cdi.dir.clone(),
        format: settings.cdi.format,
    }
}

fn log_cdi_write(meter: &Meter, file: &Path, outcome: WriteOutcome, was_tampered_with: bool) {
    let (message_id, file) = (message_id::CDI_WRITTEN, file.display());
    match outcome {
        WriteOutcome::Written if was_tampered_with => {
            let message_id = message_id::CDI_RESTORED;
            tracing::warn!(message_id, %file, "restored {file}: somebody had changed or removed it");
            meter.cdi(CdiWrite::Restored);
        }
        WriteOutcome::Written => {
            tracing::info!(message_id, %file, "wrote {file}");
            meter.cdi(CdiWrite::Written);
        }
        WriteOutcome::Removed => {
            tracing::info!(message_id, %file, "removed {file}: no NIC is usable");
            meter.cdi(CdiWrite::Removed);
        }
        WriteOutcome::Unchanged | WriteOutcome::Absent => {}
    }
}
