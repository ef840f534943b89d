//! `cxi-device-plugin isolation`: a CXI service for each pod on each of its NICs, made while its containers are made, and ended
//! with the pod. A program of its own, so that the daemon needs no capability.
//!
//! The container runtime asks by NRI ([`nri`]); the [`handler`] decides what a container is to get; one [`keeper`] for each NIC
//! makes and ends services, and keeps a ledger of what it has made.

mod adjustment;
pub mod clear;
mod crew;
mod handler;
pub mod keeper;
pub mod ledger_file;
pub mod nri;
mod reporter;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::crew::Crew;
use self::handler::Handler;
pub use self::handler::Site;
use self::nri::connection::{Connection, Lost};
use self::nri::session::{self, Plugin};
use self::reporter::Reporter;
use crate::daemon::log::Log;
use crate::host::files::lock::InstanceLock;
use crate::host::files::unix_socket::{Call, call};
use crate::host::notify_socket;
use crate::host::worker::Worker;
use crate::model::backoff::Backoff;
use crate::model::config::settings::LogSettings;

/// How long a call to the socket may take; it waits for nobody but the file system.
const CALL: Duration = Duration::from_secs(2);

/// Where it works.
#[derive(Debug)]
pub struct Places {
    /// Its own directory: lock, ledgers, record.
    pub run_dir: PathBuf,
    /// The runtime's socket.
    pub socket: PathBuf,
}

/// Runs until a signal ends it. The services of living pods stay.
///
/// # Errors
/// What keeps it from starting.
pub fn run(site: Site, places: &Places, log: &LogSettings) -> anyhow::Result<()> {
    // Before anything opens a file.
    let kept = notify_socket::kept();
    let _log = Log::start(log);
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!("cxi-device-plugin {version} isolation starts");
    if site.isolation.vnis.is_empty() {
        tracing::warn!("[isolation.vnis] names no range: every container with a NIC will be refused");
    }
    let _lock = InstanceLock::take(&places.run_dir)?;
    let crew = Crew::new(site.roots.clone(), &places.run_dir, site.lingers_after).map_err(|error| {
        anyhow!("{error}: it says which services are ours: repair it, or remove it and delete those services by hand")
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(async {
        let handler = Handler::new(site, crew, Reporter::new(places.run_dir.clone()), kept);
        until_signal(handler, &places.socket).await
    });
    // A NIC that hangs must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn until_signal(mut handler: Handler, socket: &Path) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle signals")?;
    tokio::select! {
        () = serve(&mut handler, socket) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; the services of pods that run stay");
    handler.end().await;
    Ok(())
}

/// Serves one life of a runtime after the other.
async fn serve(handler: &mut Handler, socket: &Path) {
    let worker = Worker::new("call");
    let mut backoff = Backoff::default();
    loop {
        let lost = match connect(&worker, socket).await {
            Ok(connection) => {
                let lost = session::serve(connection, handler).await;
                if handler.is_connected() {
                    backoff.reset();
                }
                lost.to_string()
            }
            Err(error) => format!("{}: {error}", socket.display()),
        };
        handler.lost(&lost);
        let pause = sleep(backoff.next(fastrand::f64()));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                () = handler.at_leisure() => {}
            }
        }
    }
}

async fn connect(worker: &Worker, socket: &Path) -> Result<Connection, Lost> {
    let path = socket.to_owned();
    let called = worker.run_within(CALL, move || call(&path)).await;
    let stream = match called.map_err(io::Error::other)?? {
        Call::Taken(stream) => UnixStream::from_std(stream)?,
        Call::QueueFull => return Err(Lost::Silent("take calls")),
        Call::Refused => return Err(Lost::Failed(io::ErrorKind::ConnectionRefused.into())),
    };
    Ok(Connection::new(stream))
}
