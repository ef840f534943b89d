//! The daemon: one task owns the state, everybody else holds a read-only snapshot.

mod args;
mod judge;
mod publisher;
mod reporter;
mod rounds;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

pub use self::args::RunArgs;
pub use self::judge::Judge;
pub use self::publisher::Publisher;
use self::reporter::Reporter;
use self::rounds::{Asked, Rounds};
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
use crate::status::{Kubelet, Resource};

/// Runs until a signal ends it.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(args: RunArgs) -> anyhow::Result<()> {
    log::to_stderr(args.log_level);
    let roots = Roots::new(&args.host.roots)?;
    let policy = args.host.policy()?;
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
    let run_dir = args.run_dir();
    let streams = Arc::new(watch::Sender::new(Streams::default()));
    let publisher = Publisher::new(
        lookout(&roots, libraries, &run_dir, &asked.news),
        Judge::new(HealthPolicy::default(), &run_dir),
        policy,
        args.cdi_directory(),
        args.strategy(),
        Arc::clone(&streams),
    );
    let snapshots = publisher.subscribe();
    let mut rounds = Rounds::new(
        publisher,
        roots,
        args.cdi_directory().path,
        cordons::directory(&run_dir),
        asked,
    );
    tokio::select! {
        () = rounds.look() => {}
        () = signals.terminated() => return Ok(()),
    }
    let (stop, stopping) = watch::channel(false);
    let (kubelet, of_kubelet) = watch::channel(Kubelet::default());
    let resource = Resource::new(&args.resource_name, args.strategy());
    let reporter = Reporter::new(run_dir, resource, rounds.node(), of_kubelet, rounds.beat());
    let reporter = tokio::spawn(reporter.run());
    let session = Session {
        kubelet_dir: args.kubelet_dir.clone(),
        resource: args.resource_name.clone(),
        strategy: args.strategy(),
        snapshots,
        streams,
        beat: rounds.beat(),
        kubelet,
    };
    let mut session = tokio::spawn(session.run(stopping));
    tokio::select! {
        () = rounds.run() => {}
        () = signals.terminated() => tracing::info!("stopping; the CDI file stays, as running pods need it"),
        ended = &mut session => anyhow::bail!("the kubelet session ended: {ended:?}"),
    }
    stop.send_replace(true);
    session.await.context("the kubelet session failed")?;
    reporter.await.context("the reporter failed")
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
