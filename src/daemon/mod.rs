//! The daemon: one task owns the state, everybody else holds a read-only snapshot.

mod change_log;
mod health_monitor;
mod link_keeper;
pub mod live_config;
pub mod log;
mod main_loop;
mod memory;
mod publisher;
mod service_log;
mod status_file;
mod strategy_chooser;
mod systemd;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use self::health_monitor::HealthMonitor;
use self::live_config::{ConfigReader, LiveConfig};
use self::log::Log;
use self::main_loop::{LoopInputs, MainLoop};
pub use self::publisher::Publisher;
use self::status_file::StatusFile;
use self::systemd::{Notifier, Stamp};
use crate::export::Exporter;
use crate::host::files::configured_roots::roots;
use crate::host::files::lock::InstanceLock;
use crate::host::files::roots::Roots;
use crate::host::files::sandbox::{self, StaleSandbox};
use crate::host::nics::scan::Scanner;
use crate::host::nics::scan_options::ScanOptions;
use crate::host::nics::scan_runner::ScanRunner;
use crate::host::worker::Worker;
use crate::kubelet::cri::asker::CriAsker;
use crate::kubelet::cri::sockets::CriSocket;
use crate::kubelet::session::{Running, Session};
use crate::kubelet::streams::Streams;
use crate::metrics::Meter;
use crate::model::config::Settings;
use crate::model::config::settings::{DaemonSettings, Enabled};
use crate::model::message_id;
use crate::model::runtime::answer::{Heard, RuntimeAnswer};
use crate::model::runtime::places::{self, RuntimeEndpoint};
use crate::model::status::KubeletState;
use crate::model::unit_sandbox::{Access, Need};

/// Runs until a signal ends it. `prefix` is where the host's tree is mounted for us, if elsewhere.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(config: ConfigReader, prefix: Option<PathBuf>) -> anyhow::Result<()> {
    let loaded = config.read()?;
    memory::keep_little();
    let log = Log::start(&loaded.settings.log);
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(
        message_id = message_id::STARTED,
        version,
        "cxi-device-plugin {version} starts"
    );
    let roots = roots(&loaded, prefix)?;
    for warning in loaded.warnings() {
        tracing::warn!("{warning}");
    }
    // A place that hangs keeps nobody waiting. The thread ends with that.
    let settings = loaded.settings.clone();
    drop(Worker::new("places").submit(move || tell_read_only(&settings)));
    let _lock = InstanceLock::take(&loaded.settings.daemon.run_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(serve(LiveConfig::new(config, loaded, log.level()), roots));
    // A scan that hangs must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// Places that this process cannot write to, whatever happens. Kubelet's directory may come later, in another sandbox.
fn tell_read_only(settings: &Settings) {
    let needs = settings.needs().into_iter();
    let written = needs.filter(|need| need.access == Access::Write);
    for Need { told_by, path, .. } in written.filter(|need| need.told_by != "kubelet.dir" || need.path.exists()) {
        if sandbox::is_read_only(&path) {
            let place = path.display();
            tracing::warn!(
                "{told_by}: {place} is read-only for this process; if it is the service: systemctl edit cxi-device-plugin, and \
                 write [Service] ReadWritePaths=-{place}"
            );
        }
    }
}

async fn serve(config: LiveConfig, roots: Roots) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot handle signals")?;
    let settings = config.settings().clone();
    let streams = Arc::new(watch::Sender::new(Streams::default()));
    let meter = meter(&settings);
    let exporter = Exporter::new(&settings, roots.clone(), meter.clone());
    let run_dir = Worker::new("run dir");
    let (answers, runtime) = watch::channel(Heard::default());
    let (lives, kubelets) = watch::channel(0);
    let sockets = cri_sockets(&settings, &roots);
    let mut main_loop = main_loop(config, roots, &run_dir, &streams, runtime, &meter)?;
    match settings.kubelet.enabled {
        Enabled::No => drop(answers.send(Heard {
            answer: RuntimeAnswer::Silent("kubelet is not served".to_owned()),
            kubelet: 0,
        })),
        Enabled::Auto | Enabled::Yes => {
            drop(tokio::spawn(
                CriAsker::new(sockets, answers, kubelets, main_loop.beat()).run(),
            ));
        }
    }
    let (stop, stopping) = watch::channel(false);
    let (kubelet, kubelet_states) = watch::channel(KubeletState::default());
    let enabled = settings.kubelet.enabled;
    let session = session(&settings, &main_loop, streams, (kubelet, lives), &meter);
    // While others look.
    let begin = async {
        match enabled {
            Enabled::No => Err(session),
            Enabled::Auto | Enabled::Yes => Ok(session.begin()),
        }
    };
    let session = tokio::select! {
        ((), session) = async { tokio::join!(main_loop.look(), begin) } => session,
        () = signals.terminated() => return Ok(()),
    };
    let giving_back = give_back(main_loop.tick(), run_dir.clone());
    let status_file = StatusFile::new(
        settings.daemon.run_dir.clone(),
        run_dir,
        main_loop.node(),
        kubelet_states,
        main_loop.beat(),
    );
    let exporting = show(exporter, main_loop.tick(), stopping.clone()).await;
    // Kubelet is served first.
    let mut session = tokio::spawn(serve_kubelet(session, stopping));
    let status_file = tokio::spawn(status_file.run());
    tokio::spawn(giving_back);
    let ended = tokio::select! {
        stale = main_loop.run() => Err(stale.into()),
        () = signals.terminated() => Ok(()),
        ended = &mut session => {
            ended.context("the kubelet session failed")??;
            anyhow::bail!("the kubelet session ended")
        }
    };
    tracing::info!(
        message_id = message_id::STOPPING,
        "stopping; the CDI file stays, as running pods need it"
    );
    systemd::stopping();
    stop.send_replace(true);
    exporting.await.context("the exports failed")?;
    session.await.context("the kubelet session failed")??;
    status_file.await.context("the reporter failed")?;
    ended
}

/// Gives memory back: when the start is over, and then when somebody is awake anyway.
async fn give_back(mut tick: watch::Receiver<()>, worker: Worker) {
    /// The start is over when nothing was looked at for so long.
    const QUIET: Duration = Duration::from_secs(1);
    /// A poll needs most of it again, and to map it again costs a fifth of the poll's time.
    const PAUSE: Duration = Duration::from_secs(600);
    while let Ok(changed) = timeout(QUIET, tick.changed()).await {
        if changed.is_err() {
            return;
        }
    }
    let mut given = None;
    loop {
        let give: Option<fn()> = if given.is_none_or(|at: Instant| at.elapsed() >= PAUSE) {
            given = Some(Instant::now());
            Some(memory::forget_unused)
        } else {
            memory::is_lavish().then_some(memory::trim)
        };
        // Another time, if not now.
        drop(give.map(|give| worker.submit(give)));
        if tick.changed().await.is_err() {
            return;
        }
    }
}

/// The loop, and what owns the state.
fn main_loop(
    config: LiveConfig,
    roots: Roots,
    worker: &Worker,
    streams: &Arc<watch::Sender<Streams>>,
    runtime: watch::Receiver<Heard>,
    meter: &Meter,
) -> anyhow::Result<MainLoop> {
    let hangup = signal(SignalKind::hangup()).context("cannot handle signals")?;
    let news = Arc::new(Notify::new());
    let settings = config.settings();
    let scan_runner = scan_runner(&roots, settings, &news);
    let wake = Arc::clone(&news);
    let on_news = move || wake.notify_one();
    let publisher = Publisher::new(
        scan_runner,
        settings,
        worker.clone(),
        Arc::clone(streams),
        meter.clone(),
        &roots,
        on_news,
    )
    .hearing(runtime.clone());
    let DaemonSettings { run_dir, start_grace } = &settings.daemon;
    let stamp = Stamp::new(run_dir, worker.clone());
    let notifier = Notifier::new(stamp, *start_grace, publisher.subscribe(), streams.subscribe());
    let inputs = LoopInputs {
        hangup,
        news,
        runtime,
        notifier,
        meter: meter.clone(),
    };
    Ok(MainLoop::new(publisher, roots, config, inputs))
}

fn session(
    settings: &Settings,
    main_loop: &MainLoop,
    streams: Arc<watch::Sender<Streams>>,
    (kubelet, lives): (watch::Sender<KubeletState>, watch::Sender<u64>),
    meter: &Meter,
) -> Session {
    Session {
        kubelet_dir: settings.kubelet.dir.clone(),
        is_expected: settings.kubelet.enabled == Enabled::Yes,
        resource: settings.resource.name.clone(),
        snapshots: main_loop.snapshots(),
        streams,
        tick: main_loop.beat(),
        kubelet,
        lives,
        settled: main_loop.settled(),
        meter: meter.resource(),
    }
}

/// Where the node's container runtime may be asked.
fn cri_sockets(settings: &Settings, roots: &Roots) -> Vec<CriSocket> {
    match &settings.runtime_endpoint {
        RuntimeEndpoint::Auto => {
            let socket = |path: &Path| CriSocket {
                path: path.to_owned(),
                local: roots.local_path(path),
            };
            places::cri_sockets().into_iter().map(socket).collect()
        }
        // Taken as it is given, as other places are.
        RuntimeEndpoint::Socket(path) => vec![CriSocket {
            path: path.clone(),
            local: path.clone(),
        }],
    }
}

/// Waits for the end where kubelet is not to be served.
/// A session that is not to begin stays as it is: what it says of kubelet, that there is none, holds until the end.
async fn serve_kubelet(
    session: Result<Running, Session>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), StaleSandbox> {
    let _idle = match session {
        Ok(session) => return session.run(stopping).await,
        Err(idle) => idle,
    };
    tracing::info!("kubelet is not served: kubelet.enabled is false");
    let _ = stopping.wait_for(|stopping| *stopping).await;
    Ok(())
}

/// Counts only when somebody wants to know.
fn meter(settings: &Settings) -> Meter {
    if settings.export.is_off() {
        return Meter::default();
    }
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Meter::on(&settings.resource.name, start.as_secs())
}

/// What pods need is there when this returns; the rest comes by and by.
async fn show(
    exporter: Option<Exporter>,
    tick: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let Some(mut exporter) = exporter else {
        return tokio::spawn(std::future::ready(()));
    };
    exporter.prepare().await;
    tokio::spawn(exporter.run(tick, stopping))
}

fn scan_runner(roots: &Roots, settings: &Settings, news: &Arc<Notify>) -> ScanRunner {
    let notify = |news: &Arc<Notify>| {
        let news = Arc::clone(news);
        move || news.notify_one()
    };
    let options = ScanOptions::from_settings(settings);
    let scanner = Scanner::new(roots.clone(), options).for_daemon(&settings.daemon.run_dir, notify(news));
    ScanRunner::new(scanner, notify(news))
}

/// The signals that end the daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn terminated(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
