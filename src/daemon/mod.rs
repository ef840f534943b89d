//! The daemon: one task owns the state, everybody else holds a read-only snapshot.

mod args;
mod judge;
mod publisher;
mod rounds;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::args::RunArgs;
pub use self::judge::Judge;
pub use self::publisher::Publisher;
use self::rounds::{Asked, Rounds};
use crate::export::{Exporter, StaleNames};
use crate::health::HealthPolicy;
use crate::host::cordons;
use crate::host::libraries::Libraries;
use crate::host::lock::InstanceLock;
use crate::host::lookout::Lookout;
use crate::host::roots::Roots;
use crate::host::scan::Scanner;
use crate::kubelet::service::Streams;
use crate::kubelet::session::Session;
use crate::log;
use crate::metrics::Meter;

/// Runs until a signal ends it.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(args: RunArgs) -> anyhow::Result<()> {
    log::to_stderr(args.log_level);
    let roots = Roots::new(&args.host.roots)?;
    let policy = args.host.policy()?;
    args.exports().check()?;
    let _lock = InstanceLock::take(&args.run_dir())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(serve(args, roots, policy));
    // A scan that hangs must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn serve(args: RunArgs, roots: Roots, policy: crate::cdi::render::Policy) -> anyhow::Result<()> {
    let libraries = args.host.libraries()?;
    let mut signals = Signals::new().context("cannot handle signals")?;
    let asked = Asked {
        hangup: signal(SignalKind::hangup()).context("cannot handle signals")?,
        news: Arc::new(Notify::new()),
        pulse: args.pulse(),
    };
    let meter = meter(&args);
    let run_dir = args.run_dir();
    let streams = Arc::new(watch::Sender::new(Streams::default()));
    let publisher = Publisher::new(
        lookout(&roots, libraries, &run_dir, &asked.news),
        Judge::new(HealthPolicy::default(), &run_dir),
        policy,
        args.cdi_directory(),
        args.strategy(),
        Arc::clone(&streams),
        meter.clone(),
    );
    let snapshots = publisher.subscribe();
    let stale_names = StaleNames {
        roots: roots.clone(),
        cdi_dir: args.cdi_directory().path,
    };
    let mut rounds = Rounds::new(
        publisher,
        roots,
        args.cdi_directory().path,
        cordons::directory(&run_dir),
        asked,
        meter.clone(),
    );
    tokio::select! {
        () = rounds.look() => {}
        () = signals.terminated() => return Ok(()),
    }
    let (stop, stopping) = watch::channel(false);
    let resource = args.resource_name.clone();
    let exporter = Exporter::new(args.exports(), resource, meter.clone(), stale_names, rounds.beat());
    let exporting = show(exporter, stopping.clone()).await;
    let session = Session {
        kubelet_dir: args.kubelet_dir.clone(),
        resource: args.resource_name.clone(),
        strategy: args.strategy(),
        snapshots,
        streams,
        beat: rounds.beat(),
        meter: meter.resource(),
    };
    let mut session = tokio::spawn(session.run(stopping));
    tokio::select! {
        () = rounds.run() => {}
        () = signals.terminated() => tracing::info!("stopping; the CDI file stays, as running pods need it"),
        ended = &mut session => anyhow::bail!("the kubelet session ended: {ended:?}"),
    }
    stop.send_replace(true);
    exporting.await.context("the exports failed")?;
    session.await.context("the kubelet session failed")
}

/// Counts only when somebody wants to know.
fn meter(args: &RunArgs) -> Meter {
    if args.exports().is_off() {
        return Meter::default();
    }
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Meter::on(&args.resource_name, start.as_secs())
}

/// What pods need is there when this returns; the rest comes by and by.
async fn show(exporter: Option<Exporter>, stopping: watch::Receiver<bool>) -> JoinHandle<()> {
    let Some(mut exporter) = exporter else {
        return tokio::spawn(std::future::ready(()));
    };
    exporter.prepare().await;
    tokio::spawn(exporter.run(stopping))
}

fn lookout(roots: &Roots, libraries: Libraries, run_dir: &Path, news: &Arc<Notify>) -> Lookout {
    let notify = |news: &Arc<Notify>| {
        let news = Arc::clone(news);
        move || news.notify_one()
    };
    let scanner = Scanner::new(roots.clone(), libraries).for_daemon(cordons::directory(run_dir), notify(news));
    Lookout::new(scanner, notify(news))
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
