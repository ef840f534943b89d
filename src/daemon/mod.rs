//! The daemon: one task owns the state, everybody else holds a read-only snapshot.

mod args;
mod notify;
mod publisher;
mod rounds;

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

pub use self::args::RunArgs;
use self::notify::Notifier;
pub use self::publisher::Publisher;
use self::rounds::{Asked, Rounds};
use crate::host::libraries::Libraries;
use crate::host::lock::InstanceLock;
use crate::host::lookout::Lookout;
use crate::host::mounts::Mount;
use crate::host::roots::Roots;
use crate::host::scan::Scanner;
use crate::kubelet::service::Streams;
use crate::kubelet::session::Session;
use crate::log::{self, Format, Target};
use crate::message_id;
use crate::readiness::START_GRACE;

/// Runs until a signal ends it.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(args: RunArgs) -> anyhow::Result<()> {
    log::start(args.log_level, Target::Auto, Format::Text);
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(
        message_id = message_id::STARTED,
        version,
        "cxi-device-plugin {version} starts"
    );
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
    let hangup = signal(SignalKind::hangup()).context("cannot handle signals")?;
    let news = Arc::new(Notify::new());
    let streams = Arc::new(watch::Sender::new(Streams::default()));
    let publisher = Publisher::new(
        lookout(&roots, libraries, &news),
        policy,
        args.cdi_directory(),
        args.strategy(),
        Arc::clone(&streams),
    );
    let snapshots = publisher.subscribe();
    let asked = Asked {
        hangup,
        news,
        pulse: args.pulse(),
        notifier: Notifier::new(&args.run_dir(), START_GRACE, snapshots.clone(), streams.subscribe()),
    };
    let mut rounds = Rounds::new(publisher, roots, args.cdi_directory().path, asked);
    tokio::select! {
        () = rounds.look() => {}
        () = signals.terminated() => return Ok(()),
    }
    let (stop, stopping) = watch::channel(false);
    let session = Session {
        mount: Mount::new(&args.kubelet_dir),
        kubelet_dir: args.kubelet_dir.clone(),
        resource: args.resource_name.clone(),
        strategy: args.strategy(),
        snapshots,
        streams,
        beat: rounds.beat(),
    };
    let mut session = tokio::spawn(session.run(stopping));
    let ended = tokio::select! {
        stale = rounds.run() => Err(stale.into()),
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
    notify::stopping();
    stop.send_replace(true);
    session.await.context("the kubelet session failed")??;
    ended
}

fn lookout(roots: &Roots, libraries: Libraries, news: &Arc<Notify>) -> Lookout {
    let notify = |news: &Arc<Notify>| {
        let news = Arc::clone(news);
        move || news.notify_one()
    };
    let scanner = Scanner::with_fru_texts(roots.clone(), libraries, notify(news));
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
