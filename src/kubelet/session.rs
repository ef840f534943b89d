//! Registered with kubelet, whenever there is one: wait for its socket, bind a new one of our own, serve, register, and
//! stay until something ends it; then again. Kubelet may start, stop, restart or forget us in any order.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::competing::CompetingPlugins;
use super::pb::device_plugin_server::DevicePluginServer;
use super::registration::{Epoch, register};
use super::service::{PluginService, Streams};
use super::socket;
use crate::host::files::sandbox::{StaleSandbox, WritableDir};
use crate::host::files::unix_socket::OwnSocket;
use crate::host::files::watch::DirectoryWatch;
use crate::metrics::ResourceMeter;
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::snapshot::Snapshot;
use crate::model::backoff::Backoff;
use crate::model::message_id;
use crate::model::status::KubeletState;

/// Kubelet opens ListAndWatch right after it has answered Register.
const STREAM_DEADLINE: Duration = Duration::from_secs(5);
/// How long calls in flight may take when a server closes.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

/// What a session needs.
#[derive(Debug)]
pub struct Session {
    /// Kubelet's plugin directory.
    pub kubelet_dir: PathBuf,
    /// The same directory, as it was when we started.
    pub mount: WritableDir,
    /// Whether its absence is worth a warning.
    pub is_expected: bool,
    /// The resource to register.
    pub resource: ResourceName,
    /// What is published.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where the streams say how they stand.
    pub streams: Arc<watch::Sender<Streams>>,
    /// Changes now and then: the time to look at what may have happened without an event.
    pub tick: watch::Receiver<()>,
    /// Where the session says how it stands.
    pub kubelet: watch::Sender<KubeletState>,
    /// Counts.
    pub meter: ResourceMeter,
}

/// What a session watches.
struct Watched {
    kubelet_dir: DirectoryWatch,
    competing: CompetingPlugins,
}

/// Why a registration is over.
#[derive(Debug)]
enum SessionEnd {
    NotBound(io::Error),
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
    /// Runs until `stopping` turns true; then no socket of ours is left.
    ///
    /// # Errors
    /// No socket can be bound before another start.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) -> Result<(), StaleSandbox> {
        let mut watched = Watched {
            kubelet_dir: self.watch(),
            competing: CompetingPlugins::default(),
        };
        let mut backoff = Backoff::default();
        let mut last_reason = String::new();
        let mut lost = None;
        let began = Instant::now();
        for count in 1.. {
            let epoch = tokio::select! {
                epoch = self.kubelet_is_there(&mut watched.kubelet_dir) => epoch,
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            };
            let Some((ended, was_live)) = self.live(epoch, count, &mut watched, &mut stopping).await else {
                return Ok(());
            };
            self.meter.ended(was_live);
            if matches!(ended, SessionEnd::NotBound(_)) {
                self.mount.check()?;
            }
            // One and the same kubelet, having ended our stream, had taken our registration again.
            if was_live && lost == Some(epoch) && watched.competing.displaced(began.elapsed()) {
                self.tell_of_rival("kubelet ends our stream again and again");
            }
            lost = matches!(ended, SessionEnd::StreamClosed).then_some(epoch);
            if was_live {
                backoff.reset();
                last_reason.clear();
            }
            self.tell_of_end(&ended, &mut last_reason);
            let wait = backoff.next(fastrand::f64());
            tokio::select! {
                _ = timeout(wait, self.kubelet_is_new(epoch, &mut watched.kubelet_dir)) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            }
            if Epoch::current(&self.kubelet_dir) != Some(epoch) {
                backoff.reset();
            }
        }
        Ok(())
    }

    fn watch(&self) -> DirectoryWatch {
        let resource = self.resource.clone();
        let concerns_us = move |name: &str| socket::concerns(name, &resource);
        DirectoryWatch::of_names(&self.kubelet_dir, self.tick.clone(), concerns_us)
    }

    fn tell_of_end(&self, ended: &SessionEnd, last_reason: &mut String) {
        let (resource, reason) = (&self.resource, ended.to_string());
        self.set_state(KubeletState::NotRegistered { reason: reason.clone() });
        if reason == *last_reason {
            tracing::debug!(%resource, "not registered: {reason}");
        } else {
            let message_id = message_id::NOT_REGISTERED;
            tracing::warn!(message_id, %resource, reason, "not registered: {reason}; trying again");
            *last_reason = reason;
        }
    }

    fn tell_of_rival(&self, reason: &str) {
        let (message_id, resource) = (message_id::COMPETING_PLUGIN, &self.resource);
        tracing::error!(
            message_id,
            %resource,
            reason,
            "another plugin serves {resource}, too ({reason}): they take the NICs from each other. Remove it; the Go plugin is \
             a DaemonSet"
        );
    }

    async fn kubelet_is_there(&self, kubelet_dir: &mut DirectoryWatch) -> Epoch {
        let mut waiting = false;
        loop {
            if let Some(epoch) = Epoch::current(&self.kubelet_dir) {
                return epoch;
            }
            if !std::mem::replace(&mut waiting, true) {
                self.set_state(KubeletState::Waiting);
                let place = self.kubelet_dir.display();
                let message_id = message_id::KUBELET_AWAITED;
                if self.is_expected {
                    tracing::warn!(message_id, "waiting for kubelet.sock in {place}");
                } else {
                    tracing::info!(message_id, "waiting for kubelet.sock in {place}");
                }
            }
            kubelet_dir.changed().await;
        }
    }

    fn set_state(&self, kubelet: KubeletState) {
        self.kubelet.send_if_modified(|shown| {
            let is_news = *shown != kubelet;
            *shown = kubelet;
            is_news
        });
    }

    async fn kubelet_is_new(&self, epoch: Epoch, kubelet_dir: &mut DirectoryWatch) {
        while Epoch::current(&self.kubelet_dir).is_none_or(|current| current == epoch) {
            kubelet_dir.changed().await;
        }
    }

    /// One registration from beginning to end, and whether it ever was live; none when we were told to stop.
    async fn live(
        &self,
        epoch: Epoch,
        count: u64,
        watched: &mut Watched,
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<(SessionEnd, bool)> {
        let server = match RunningServer::start(self, count) {
            Ok(server) => server,
            Err(error) => return Some((SessionEnd::NotBound(error), false)),
        };
        let mut was_live = false;
        let ended = tokio::select! {
            ended = self.stay_registered(epoch, &server.socket, watched, &mut was_live) => Some(ended),
            () = server.failed() => Some(SessionEnd::ServerFailed),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        server.close().await;
        ended.map(|ended| (ended, was_live))
    }

    async fn stay_registered(
        &self,
        epoch: Epoch,
        socket: &OwnSocket,
        watched: &mut Watched,
        was_live: &mut bool,
    ) -> SessionEnd {
        if let Err(reason) = register(&self.kubelet_dir, socket, &self.resource).await {
            return SessionEnd::Refused(reason);
        }
        let mut streams = self.streams.subscribe();
        if timeout(STREAM_DEADLINE, streams.wait_for(|streams| streams.open > 0))
            .await
            .is_err()
        {
            return SessionEnd::NoStream;
        }
        *was_live = true;
        self.meter.registered();
        tracing::info!(
            message_id = message_id::REGISTERED,
            resource = %self.resource,
            socket = socket.file_name(),
            "registered with kubelet"
        );
        self.set_state(KubeletState::Registered);
        loop {
            // Looked at first: kubelet may have removed the socket while it answered.
            if Epoch::current(&self.kubelet_dir).is_some_and(|current| current != epoch) {
                return SessionEnd::KubeletRestarted;
            }
            if !socket.is_in_place() {
                return SessionEnd::SocketGone;
            }
            for name in watched.competing.sockets(&self.kubelet_dir, &self.resource) {
                self.tell_of_rival(&format!("its socket is {name}"));
            }
            tokio::select! {
                _ = streams.wait_for(|streams| streams.open == 0) => return SessionEnd::StreamClosed,
                () = watched.kubelet_dir.changed() => {}
            }
        }
    }
}

/// A gRPC server on a socket of its own.
struct RunningServer {
    socket: OwnSocket,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
    ended: watch::Receiver<bool>,
}

impl RunningServer {
    fn start(session: &Session, count: u64) -> io::Result<Self> {
        let (socket, listener) = socket::bind(&session.kubelet_dir, &session.resource, count)?;
        let (closing, mut close) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let service = PluginService {
            resource: session.resource.clone(),
            snapshots: session.snapshots.clone(),
            streams: Arc::clone(&session.streams),
            closing: close.clone(),
            meter: session.meter.clone(),
        };
        let task = tokio::spawn(async move {
            let told_to_close = async move { drop(close.wait_for(|closing| *closing).await) };
            let server = Server::builder().add_service(DevicePluginServer::new(service));
            let served = server
                .serve_with_incoming_shutdown(UnixListenerStream::new(listener), told_to_close)
                .await;
            if let Err(error) = served {
                tracing::error!("gRPC server: {error}");
            }
            end.send_replace(true);
        });
        Ok(Self {
            socket,
            closing,
            task,
            ended,
        })
    }

    /// Returns only if the server ends by itself.
    async fn failed(&self) {
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Ends the streams and lets calls in flight finish; the socket goes with `self`.
    async fn close(mut self) {
        self.closing.send_replace(true);
        if timeout(DRAIN_DEADLINE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
