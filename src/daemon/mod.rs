//! The daemon: one task owns the state, everybody else holds a read-only snapshot.

mod args;
mod publisher;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::CommandFactory;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

pub use self::args::Args;
pub use self::publisher::Publisher;
use crate::exit::{self, Ended};
use crate::host::lock::InstanceLock;
use crate::host::roots::Roots;
use crate::host::scan::Scanner;
use crate::kubelet::service::Streams;
use crate::kubelet::session::Session;
use crate::log;

const PROGRAM: &str = "cxi-device-plugin";
/// How soon a CDI file that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Parses the command line, runs, and says how it went.
pub fn main() -> ExitCode {
    let args: Args = match exit::arguments(PROGRAM) {
        Ok(args) => args,
        Err(ended) => return ended,
    };
    log::to_stderr(args.log_level);
    exit::report(PROGRAM, run(args).map(|()| Ended::Done))
}

/// The command line as it is defined, for manual pages and completions.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(args: Args) -> anyhow::Result<()> {
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

async fn serve(args: Args, roots: Roots, policy: crate::cdi::render::Policy) -> anyhow::Result<()> {
    let libraries = args.host.libraries()?;
    let mut signals = Signals::new().context("cannot handle signals")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle signals")?;
    let rescan = Arc::new(Notify::new());
    let news = Arc::clone(&rescan);
    let scanner = Scanner::with_fru_texts(roots, libraries, move || news.notify_one());
    let streams = Arc::new(watch::Sender::new(Streams::default()));
    let mut publisher = Publisher::new(
        scanner,
        policy,
        args.cdi_directory(),
        args.strategy(),
        Arc::clone(&streams),
    );
    tokio::select! {
        () = publisher.refresh() => {}
        () = signals.terminated() => return Ok(()),
    }
    let (stop, stopping) = watch::channel(false);
    let session = Session {
        kubelet_dir: args.kubelet_dir.clone(),
        resource: args.resource_name.clone(),
        strategy: args.strategy(),
        snapshots: publisher.subscribe(),
        streams,
    };
    let mut session = tokio::spawn(session.run(stopping));
    tokio::select! {
        () = keep_fresh(&mut publisher, &rescan, &mut hangup) => {}
        () = signals.terminated() => tracing::info!("stopping; the CDI file stays, as running pods need it"),
        ended = &mut session => anyhow::bail!("the kubelet session ended: {ended:?}"),
    }
    stop.send_replace(true);
    session.await.context("the kubelet session failed")
}

/// Scans whenever something asks for it; an event carries no state, so many of them are as good as one.
async fn keep_fresh(publisher: &mut Publisher, rescan: &Notify, hangup: &mut Signal) {
    loop {
        tokio::select! {
            () = rescan.notified() => {}
            _ = hangup.recv() => tracing::debug!("SIGHUP: looking at the node again"),
            () = tokio::time::sleep(RETRY), if !publisher.is_current() => {}
        }
        publisher.refresh().await;
    }
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
