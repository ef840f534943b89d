//! Registered with kubelet, whenever there is one: have it take our call, bind a new socket of our own, serve, register, and
//! stay until something ends it; then again. Kubelet may start, stop, restart or forget us in any order.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::directory::{Epoch, Found, KubeletDir};
use super::registration::register;
use super::server::RunningServer;
use super::service::PluginService;
use super::socket;
use super::standing::Standing;
use super::streams::{Pid, StreamBook, Streams};
use super::waiting::{self, Changes, Kubelet};
use crate::host::files::sandbox::StaleSandbox;
use crate::host::files::unix_socket::{Call, SocketFile};
use crate::host::files::watch::DirectoryWatch;
use crate::metrics::ResourceMeter;
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::backoff::Backoff;
use crate::model::status::KubeletState;

/// Kubelet opens ListAndWatch right after it has answered Register.
const STREAM_DEADLINE: Duration = Duration::from_secs(5);
/// A stream of this age has been good: what comes after it is no failed try.
const LASTING: Duration = Duration::from_secs(10);
/// What one and the same kubelet has at least between the end of our stream and the next registration: versions 1.25 to 1.36
/// drop the newer registration if they see the older stream end after it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a registration waits for the word of the node's container runtime: as long as that may take, and the look that
/// follows from it.
const SETTLED: Duration = Duration::from_millis(300);
/// So many streams that did not last are worth a thought about other plugins.
const SUSPICIOUS: u32 = 3;

/// What a session needs.
#[derive(Debug)]
pub struct Session {
    /// Kubelet's plugin directory.
    pub kubelet_dir: PathBuf,
    /// Whether its absence is worth a warning.
    pub is_expected: bool,
    /// The resource to register.
    pub resource: ResourceName,
    /// What is published.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where kubelet's stream says how it stands.
    pub streams: Arc<watch::Sender<Streams>>,
    /// Changes now and then: the time to look at what may have happened without an event.
    pub tick: watch::Receiver<()>,
    /// Where the session says how it stands.
    pub kubelet: watch::Sender<KubeletState>,
    /// Where it counts the lives of kubelet.
    pub lives: watch::Sender<u64>,
    /// In which of them it is settled how containers get their NICs.
    pub settled: watch::Receiver<u64>,
    /// Counts.
    pub meter: ResourceMeter,
}

/// A session at work.
pub struct Running {
    dir: KubeletDir,
    changes: Changes,
    standing: Standing,
    resource: ResourceName,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    streams: Arc<watch::Sender<Streams>>,
    life: Option<Epoch>,
    lives: watch::Sender<u64>,
    settled: watch::Receiver<u64>,
    meter: ResourceMeter,
}

/// A registration that is over.
struct Ended {
    why: SessionEnd,
    /// How long kubelet followed our list, if it ever did.
    lived: Option<Duration>,
}

/// Why a registration is over.
#[derive(Debug, PartialEq, Eq)]
enum SessionEnd {
    NotBound(String),
    Refused(String),
    NoStream,
    StreamClosed,
    KubeletRestarted,
    SocketGone,
    ServerFailed,
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBound(error) => write!(f, "cannot bind a socket in kubelet's directory: {error}"),
            Self::Refused(reason) => f.write_str(reason),
            Self::NoStream => write!(
                f,
                "kubelet opened no ListAndWatch stream within {} s",
                STREAM_DEADLINE.as_secs()
            ),
            Self::StreamClosed => f.write_str("kubelet ended the ListAndWatch stream"),
            Self::KubeletRestarted => f.write_str("kubelet has been restarted"),
            Self::SocketGone => f.write_str("our socket was removed"),
            Self::ServerFailed => f.write_str("our gRPC server ended"),
        }
    }
}

impl Session {
    /// As [`Running::run`], from the beginning.
    ///
    /// # Errors
    /// The same.
    pub async fn run(self, stopping: watch::Receiver<bool>) -> Result<(), StaleSandbox> {
        self.begin().run(stopping).await
    }

    /// Has the threads that it takes.
    pub fn begin(self) -> Running {
        let resource = self.resource.clone();
        let concerns_us = move |name: &str| socket::concerns(name, &resource);
        let watch = DirectoryWatch::of_names(&self.kubelet_dir, self.tick, concerns_us);
        Running {
            dir: KubeletDir::new(self.kubelet_dir, self.resource.clone()),
            changes: Changes::new(watch),
            standing: Standing::new(self.resource.clone(), self.kubelet, self.is_expected),
            resource: self.resource,
            snapshots: self.snapshots,
            streams: self.streams,
            life: None,
            lives: self.lives,
            settled: self.settled,
            meter: self.meter,
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Runs until `stopping` turns true; then no socket of ours is left.
    ///
    /// # Errors
    /// No socket can be bound before another start.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) -> Result<(), StaleSandbox> {
        let mut stop = stopping.clone();
        let stopped = async move { drop(stop.wait_for(|stopping| *stopping).await) };
        tokio::pin!(stopped);
        tokio::select! {
            () = self.first_look() => {}
            () = &mut stopped => return Ok(()),
        }
        let mut backoff = Backoff::default();
        let mut before: Option<(Pid, Instant)> = None;
        let mut short_streams = 0;
        for count in 1.. {
            let kubelet = tokio::select! {
                kubelet = self.kubelet(before) => kubelet,
                () = &mut stopped => return Ok(()),
            };
            let (epoch, pid) = (kubelet.epoch, kubelet.pid);
            let Some(Ended { why, lived }) = self.live(kubelet, count, &mut stopping).await else {
                return Ok(());
            };
            before = Some((pid, Instant::now()));
            self.meter.ended(lived.is_some());
            if matches!(why, SessionEnd::NotBound(_)) {
                self.dir.check().await?;
            }
            if lived.is_some_and(|lived| lived >= LASTING) {
                backoff.reset();
                short_streams = 0;
                self.standing.forget_reason();
            } else if why == SessionEnd::StreamClosed {
                short_streams += 1;
            }
            self.standing.not_registered(self.reason(&why, short_streams));
            let wait = backoff.next(fastrand::f64());
            tracing::debug!("next try in {} ms", wait.as_millis());
            tokio::select! {
                new = timeout(wait, self.new_life(epoch)) => if new.is_ok() {
                    backoff.reset();
                    short_streams = 0;
                },
                () = &mut stopped => return Ok(()),
            }
        }
        Ok(())
    }

    /// Streams that end again and again are no proof of another plugin, but a hint.
    fn reason(&self, why: &SessionEnd, short_streams: u32) -> String {
        if *why == SessionEnd::StreamClosed && short_streams >= SUSPICIOUS {
            let resource = &self.resource;
            return format!("{why}, again and again: does another plugin register {resource}, too?");
        }
        why.to_string()
    }

    /// Kubelet shall not be told of an empty node because nobody could look at it.
    async fn first_look(&mut self) {
        if self.snapshots.borrow().generation == 0 {
            self.dir.remember().await;
            let reason = "no look at the node has succeeded yet, so its NICs are not known";
            self.standing.not_registered(reason.to_owned());
            if self
                .snapshots
                .wait_for(|snapshot| snapshot.generation > 0)
                .await
                .is_err()
            {
                // Nobody is left to look, so the end is near.
                std::future::pending::<()>().await;
            }
            self.standing.forget_reason();
        }
    }

    /// A kubelet that takes calls, and that has had the time to forget our last stream.
    async fn kubelet(&mut self, before: Option<(Pid, Instant)>) -> Kubelet {
        let kubelet = waiting::kubelet(&self.dir, &mut self.changes, &mut self.standing).await;
        if let Some((pid, ended)) = before
            && (pid.is_none() || pid == kubelet.pid)
        {
            sleep_until(ended + PAUSE).await;
        }
        kubelet
    }

    /// A new kubelet asks for its pods' NICs as soon as it knows our list, and keeps the answers.
    async fn settle(&mut self, epoch: Epoch) {
        if self.life.replace(epoch) == Some(epoch) {
            return;
        }
        self.lives.send_modify(|lives| *lives += 1);
        let life = *self.lives.borrow();
        // Without an answer of the runtime, device nodes are right for any.
        let _ = timeout(SETTLED, self.settled.wait_for(|settled| *settled >= life)).await;
    }

    /// Returns when kubelet's socket is another one, or was touched.
    async fn new_life(&mut self, epoch: Epoch) {
        while !matches!(self.dir.epoch().await, Ok(Some(current)) if current != epoch) {
            self.changes.next().await;
        }
    }

    /// One registration from beginning to end; none when we were told to stop.
    async fn live(&mut self, kubelet: Kubelet, count: u64, stopping: &mut watch::Receiver<bool>) -> Option<Ended> {
        let not_bound = |reason: String| {
            let why = SessionEnd::NotBound(reason);
            Some(Ended { why, lived: None })
        };
        let dir = self.dir.clone();
        let mut stop = stopping.clone();
        let settled = async {
            tokio::select! {
                () = self.settle(kubelet.epoch) => {}
                _ = stop.wait_for(|stopping| *stopping) => {}
            }
        };
        let (bound, ()) = tokio::join!(dir.bind(count), settled);
        let (socket, listener) = match bound {
            Ok(Ok(bound)) => bound,
            Ok(Err(error)) => return not_bound(error.to_string()),
            Err(not_done) => return not_bound(waiting::silent(&self.dir, &not_done)),
        };
        let (closing, close) = watch::channel(false);
        let book = Arc::new(StreamBook::new(kubelet.pid, Arc::clone(&self.streams)));
        let service = PluginService {
            resource: self.resource.clone(),
            snapshots: self.snapshots.clone(),
            streams: Arc::clone(&book),
            closing: close,
            meter: self.meter.clone(),
        };
        let server = match RunningServer::start(listener, service, closing, kubelet.pid) {
            Ok(server) => server,
            Err(error) => {
                self.dir.remove(socket).await;
                return not_bound(error.to_string());
            }
        };
        let mut since = None;
        let ended = tokio::select! {
            why = self.stay_registered(kubelet, &socket, &book, &mut since) => Some(why),
            () = server.failed() => Some(SessionEnd::ServerFailed),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let lived = since.map(|since: Instant| since.elapsed());
        server.close().await;
        self.dir.remove(socket).await;
        ended.map(|why| Ended { why, lived })
    }

    async fn stay_registered(
        &mut self,
        kubelet: Kubelet,
        socket: &SocketFile,
        book: &StreamBook,
        since: &mut Option<Instant>,
    ) -> SessionEnd {
        let Kubelet { epoch, stream, .. } = kubelet;
        let mut streams = self.streams.subscribe();
        let resource = self.resource.clone();
        book.announce();
        let registered = tokio::select! {
            registered = register(stream, socket.name(), &resource) => registered,
            end = self.overtaken(socket, |current| current != epoch) => return end,
        };
        if let Err(reason) = registered {
            return SessionEnd::Refused(reason);
        }
        let opened = tokio::select! {
            opened = timeout(STREAM_DEADLINE, streams.wait_for(|streams| streams.open > 0)) => opened.is_ok(),
            end = self.overtaken(socket, |current| current != epoch) => return end,
        };
        if !opened && !self.adopt(book).await {
            return SessionEnd::NoStream;
        }
        *since = Some(Instant::now());
        self.meter.registered();
        self.standing.registered(socket.name());
        // From now on kubelet's stream is the better witness: while it lives, its kubelet does, whoever has touched the socket.
        let is_another = |current: Epoch| match opened {
            true => !current.is_same_file(epoch),
            false => current != epoch,
        };
        tokio::select! {
            _ = streams.wait_for(|streams| streams.open == 0) => SessionEnd::StreamClosed,
            end = self.overtaken(socket, is_another) => end,
        }
    }

    /// Kubelet lives, has accepted us, and opens no stream: then one from another process may be its, by a proxy.
    async fn adopt(&self, book: &StreamBook) -> bool {
        let lives = matches!(self.dir.find().await, Ok(Found::Called(_, Call::Taken(_))));
        let adopted = lives && book.adopt();
        if adopted {
            tracing::info!("the list is followed by another process than the one that listens at kubelet.sock");
        }
        adopted
    }

    /// Returns when what a registration stands on is gone. Of a directory that does not answer nothing is known.
    async fn overtaken(&mut self, socket: &SocketFile, is_another: impl Fn(Epoch) -> bool) -> SessionEnd {
        loop {
            // Looked at first: kubelet may have removed the socket while it answered.
            match self.dir.look(socket, self.standing.named().clone()).await {
                Ok(seen) if seen.epoch.is_some_and(&is_another) => return SessionEnd::KubeletRestarted,
                Ok(seen) if !seen.is_in_place => return SessionEnd::SocketGone,
                Ok(seen) => seen
                    .competing
                    .into_iter()
                    .for_each(|name| self.standing.competing(name)),
                Err(not_done) => tracing::debug!("{}", waiting::silent(&self.dir, &not_done)),
            }
            self.changes.next().await;
        }
    }
}
