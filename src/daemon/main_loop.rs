//! The daemon's loop: wait for a trigger, let the others settle, look, publish; again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::live_config::LiveConfig;
use super::publisher::{PartialRefresh, Publisher};
use super::systemd::Notifier;
use crate::host::events::{Events, WatchedContent};
use crate::host::files::path_watch::Place;
use crate::host::files::roots::Roots;
use crate::host::files::sandbox::{StaleSandbox, WritableDir};
use crate::host::files::{atomic_file, isolation};
use crate::host::libraries;
use crate::host::nics::cordons;
use crate::host::nics::scan_runner::Preparation;
use crate::host::node_links::NodeLinks;
use crate::host::worker::Worker;
use crate::metrics::Meter;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::alloc::strategy::StrategySetting;
use crate::model::cdi::survey::CDI_DIRECTORIES;
use crate::model::coalesce::Coalescer;
use crate::model::config::settings::Enabled;
use crate::model::nic::pci::PciAddress;
use crate::model::rate_limit::RateLimit;
use crate::model::runtime::answer::Heard;
use crate::model::status::{NodeStatus, ResourceStatus, TriggerSource};
use crate::model::trigger::Trigger;

/// Triggers within this time fold into one look.
const SETTLE: Duration = Duration::from_millis(50);
/// How soon what went wrong is tried again: a CDI file that could not be written, a node that could not be looked at.
const RETRY: Duration = Duration::from_secs(5);
/// When all NICs are looked at after looks at some alone, whatever happens.
const RECHECK: Duration = Duration::from_secs(10);
/// How long a directory may take to be looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// What no event tells is looked for at most so often.
const COMPARISON: Duration = Duration::from_secs(1);
/// How often the log says that events were lost.
const OVERFLOWS: Duration = Duration::from_secs(60);

/// Everything that a round needs. One task owns it.
#[derive(Debug)]
pub struct MainLoop {
    publisher: Publisher,
    events: Events,
    coalescer: Coalescer,
    scope: Scope,
    began: Instant,
    looked: Instant,
    recheck: Option<Instant>,
    config: LiveConfig,
    hangup: Signal,
    news: Arc<Notify>,
    runtime: watch::Receiver<Heard>,
    settled: watch::Sender<u64>,
    roots: Roots,
    /// The CDI directory as it was at the start; none before the first look.
    cdi_mount: Arc<OnceLock<WritableDir>>,
    /// Looks at directories, which may hang.
    worker: Worker,
    notifier: Notifier,
    tick: watch::Sender<()>,
    beat: watch::Sender<()>,
    compared: Instant,
    node: watch::Sender<Arc<NodeStatus>>,
    overflows: RateLimit,
    meter: Meter,
}

/// What the next look is to see. A hint, as all that a trigger says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Nics(BTreeSet<PciAddress>),
    All,
}

impl Scope {
    /// What nothing has asked for.
    const NONE: Self = Self::Nics(BTreeSet::new());

    /// This NIC, too; all of them, where a trigger names none.
    fn add(&mut self, nic: Option<PciAddress>) {
        match (&mut *self, nic) {
            (Self::Nics(nics), Some(nic)) => drop(nics.insert(nic)),
            (_, None) => *self = Self::All,
            (Self::All, Some(_)) => {}
        }
    }
}

/// What the loop listens to beside the node's events.
#[derive(Debug)]
pub struct LoopInputs {
    /// SIGHUP.
    pub hangup: Signal,
    /// An earlier look has more to say.
    pub news: Arc<Notify>,
    /// What the container runtime says.
    pub runtime: watch::Receiver<Heard>,
    /// Tells systemd.
    pub notifier: Notifier,
    /// Counts.
    pub meter: Meter,
}

impl MainLoop {
    /// Looks at nothing yet.
    pub fn new(publisher: Publisher, roots: Roots, config: LiveConfig, inputs: LoopInputs) -> Self {
        let now = Instant::now();
        Self {
            publisher,
            events: Events::new(&roots),
            coalescer: Coalescer::new(SETTLE),
            scope: Scope::NONE,
            began: now,
            looked: now,
            recheck: None,
            config,
            hangup: inputs.hangup,
            news: inputs.news,
            runtime: inputs.runtime,
            settled: watch::Sender::default(),
            roots,
            cdi_mount: Arc::default(),
            worker: Worker::later("directories"),
            notifier: inputs.notifier,
            tick: watch::Sender::default(),
            beat: watch::Sender::default(),
            compared: now,
            node: watch::Sender::default(),
            overflows: RateLimit::new(1, OVERFLOWS),
            meter: inputs.meter,
        }
    }

    /// Changes with every look: whoever wants to look at something now and then does it with this, and wakes nobody.
    pub fn tick(&self) -> watch::Receiver<()> {
        self.tick.subscribe()
    }

    /// Changes with every look and, beside that, with the watchdog: the time for whoever wants to see what no event tells.
    pub fn beat(&self) -> watch::Receiver<()> {
        self.beat.subscribe()
    }

    /// What is published, now and later.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.publisher.subscribe()
    }

    /// What is seen of the node, now and later.
    pub fn node(&self) -> watch::Receiver<Arc<NodeStatus>> {
        self.node.subscribe()
    }

    /// In which life of kubelet it is settled how containers get their NICs.
    pub fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }

    /// Looks at the node once and publishes what has changed.
    pub async fn look(&mut self) {
        tracing::debug!("looking at the node");
        let began = Instant::now();
        self.coalescer.begin(began - self.began);
        (self.scope, self.recheck) = (Scope::NONE, None);
        let prepare = self.prepare();
        let has_written = self.publisher.refresh(&prepare).await;
        self.looked = Instant::now();
        self.has_looked(began, has_written);
    }

    /// Looks at these NICs alone, or at all where that does not tell.
    async fn look_at(&mut self, nics: &BTreeSet<PciAddress>) {
        let names: Vec<String> = nics.iter().map(PciAddress::to_string).collect();
        tracing::debug!("looking at the node: {} alone", names.join(", "));
        let began = Instant::now();
        self.coalescer.begin(began - self.began);
        self.scope = Scope::NONE;
        match self.publisher.refresh_nics(nics).await {
            None => return self.look().await,
            Some(PartialRefresh::Same) => {
                tracing::debug!("looked at the node in {} us: as it was", began.elapsed().as_micros());
                self.meter.looked(began.elapsed(), self.events.heard());
            }
            Some(PartialRefresh::Changed { has_written }) => self.has_looked(began, has_written),
        }
        self.recheck.get_or_insert(began + RECHECK);
    }

    /// Tells everybody.
    fn has_looked(&mut self, began: Instant, has_written: bool) {
        self.events.follow(self.publisher.interfaces());
        let took = began.elapsed();
        self.meter.looked(took, self.events.heard());
        tracing::debug!("looked at the node in {} us", took.as_micros());
        if has_written {
            // A directory that was made is not watched yet: somebody may have changed the file since.
            self.ask_for_look(&Trigger::Written);
        }
        self.notifier.tell();
        self.tick.send_replace(());
        self.beat.send_replace(());
        self.compared = self.looked;
        self.show();
        self.settle();
    }

    /// Whether containers get their NICs as the runtime's last answer has it; says so.
    fn settle(&self) -> bool {
        let settled = self.publisher.settled();
        if let Some(kubelet) = settled {
            self.settled.send_replace(kubelet);
        }
        settled.is_some()
    }

    fn show(&self) {
        let sources = self.events.sources().map(|(name, lost)| TriggerSource {
            name: name.to_owned(),
            lost: lost.map(str::to_owned),
        });
        let settings = self.config.settings();
        let node = NodeStatus {
            resources: vec![ResourceStatus::new(&settings.resource.name, self.publisher.strategy())],
            sources: sources.into(),
            ..self.publisher.node()
        };
        self.node.send_if_modified(|shown| {
            let is_news = **shown != node;
            if is_news {
                *shown = Arc::new(node);
            }
            is_news
        });
    }

    /// Looks whenever something asks for it. Ends only when a write has failed that another start would let succeed.
    pub async fn run(&mut self) -> StaleSandbox {
        // Their threads are to be there before somebody needs them; kubelet does not wait for that.
        self.config.be_ready();
        self.worker.be_ready();
        loop {
            if !self.publisher.is_current()
                && let Err(stale) = self.check_sandbox().await
            {
                return stale;
            }
            let due = self.coalescer.due().map(|due| self.began + due);
            let poll = self.config.settings().health.poll;
            let pulse = poll.map(|poll| self.looked + poll);
            let retry = (!self.publisher.is_current()).then(|| self.looked + RETRY);
            let held = self.publisher.due();
            let recheck = self.recheck;
            let trigger = tokio::select! {
                () = at(due) => {
                    match std::mem::replace(&mut self.scope, Scope::NONE) {
                        Scope::All => self.look().await,
                        Scope::Nics(nics) => self.look_at(&nics).await,
                    }
                    continue;
                }
                trigger = self.events.next() => trigger,
                () = self.notifier.due() => {
                    self.notifier.tell();
                    self.compare();
                    continue;
                }
                _ = self.hangup.recv() => {
                    self.notifier.reloading();
                    self.reload().await;
                    Trigger::Hangup
                }
                () = self.news.notified() => Trigger::News,
                Ok(()) = self.runtime.changed() => {
                    if self.settle() {
                        continue;
                    }
                    Trigger::Runtime
                }
                () = at(pulse), if due.is_none() => Trigger::Pulse,
                () = at(held), if due.is_none() => Trigger::Held,
                () = at(retry), if due.is_none() => Trigger::Retry,
                () = at(recheck), if due.is_none() => Trigger::Recheck,
            };
            self.ask_for_look(&trigger);
        }
    }

    fn ask_for_look(&mut self, trigger: &Trigger) {
        self.note(trigger);
        self.scope.add(match trigger {
            Trigger::Link(interface) => self.publisher.nic_of(interface),
            trigger => trigger.pci_function(),
        });
        if trigger.is_event() {
            self.coalescer.trigger();
        } else {
            self.coalescer.order();
        }
    }

    /// A directory that hangs is none that was replaced.
    async fn check_sandbox(&self) -> Result<(), StaleSandbox> {
        let Some(cdi_mount) = self.cdi_mount.get().cloned() else {
            return Ok(());
        };
        let check = move || cdi_mount.check();
        self.worker.run_within(PATIENCE, check).await.unwrap_or(Ok(()))
    }

    /// Uses that we are awake: inotify does not see everything.
    fn compare(&mut self) {
        if self.compared.elapsed() >= COMPARISON {
            self.compared = Instant::now();
            self.events.compare(&self.worker);
            self.beat.send_replace(());
        }
    }

    async fn reload(&mut self) {
        if self.config.reload().await {
            self.publisher.adopt(self.config.settings());
        }
    }

    fn note(&mut self, trigger: &Trigger) {
        tracing::debug!("trigger: {trigger}");
        self.meter.triggered(trigger);
        if matches!(trigger, Trigger::Overflow(_)) && self.overflows.say(self.began.elapsed()).is_some() {
            tracing::warn!("{trigger}: some are lost, so the node is looked at");
        }
    }

    /// Opens lost sources; what is returned watches the directories whose entries matter, as they are then. The first time it
    /// remembers how the CDI directory is.
    fn prepare(&mut self) -> Preparation {
        let watcher = self.events.prepare();
        let settings = self.config.settings();
        let (roots, cdi_dir) = (self.roots.clone(), settings.cdi.dir.clone());
        let cdi_mount = Arc::clone(&self.cdi_mount);
        let cordons = cordons::directory(&settings.daemon.run_dir);
        let companions: Vec<PathBuf> = settings
            .container
            .devices
            .iter()
            .map(|device| device.name.clone())
            .collect();
        let has_isolation = settings.isolation.is_on();
        let serves_kubelet = settings.kubelet.enabled != Enabled::No;
        let uses_names = settings.strategy != StrategySetting::Direct;
        Arc::new(move || {
            cdi_mount.get_or_init(|| WritableDir::new(&cdi_dir));
            let Some(watcher) = &watcher else { return };
            // So that it can be watched before an admin needs it.
            let _ = atomic_file::make_directory(&cordons);
            let on_host = |path: &Path, content| Place::below(roots.top(), path, content);
            let mut places = vec![
                Place::new(&roots.local_path(&roots.dev), WatchedContent::Nodes),
                Place::new(&cdi_dir, WatchedContent::Specs),
                Place::new(&cordons, WatchedContent::Cordons),
            ];
            let isolation = has_isolation.then(|| isolation::directory(&roots));
            places.extend(isolation.map(|directory| Place::new(&directory, WatchedContent::Isolation)));
            let nodes = companions.iter().map(|name| roots.local_path(&roots.dev.join(name)));
            places.extend(nodes.map(|node| Place::new(&node, WatchedContent::Companion)));
            let links = NodeLinks::new(&roots);
            places.extend(serves_kubelet.then(|| Place::new(links.local(), WatchedContent::Links)));
            // What stands there decides what a runtime makes of our names.
            let others = CDI_DIRECTORIES.map(|directory| roots.local_path(Path::new(directory)));
            let others = others.iter().filter(|directory| uses_names && **directory != cdi_dir);
            places.extend(others.map(|directory| Place::new(directory, WatchedContent::Specs)));
            let libraries = libraries::places(&roots);
            places.extend(libraries.iter().map(|path| on_host(path, WatchedContent::Libraries)));
            watcher.clone().watch(&places);
        })
    }
}

/// Waits until then; for ever without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
