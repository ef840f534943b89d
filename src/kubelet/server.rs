//! Our gRPC server on one socket: bounded in callers and in what they may have open, and gone when it is told to.

use std::io;
use std::os::unix::net;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

use super::connection::{Connection, Peer, pid_of};
use super::pb::device_plugin_server::DevicePluginServer;
use super::service::{PluginService, REQUEST_LIMIT};
use super::streams::Pid;

/// How long calls in flight may take when a server closes; then their connections are cut.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);
/// Connections of others than kubelet at a time; more are closed at once.
const OTHERS: usize = 16;
/// Calls that one of them may have open.
const CALLS: u32 = 64;
/// From the beginning of a call to its answer, or to the beginning of a stream. The answers are in memory: what takes so long
/// is a request that does not come.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// How soon a caller is taken again when none could be, for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// A server.
#[derive(Debug)]
pub struct RunningServer {
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
    ended: watch::Receiver<bool>,
    doorman: Arc<Doorman>,
}

/// Who is let in, and is in.
#[derive(Debug)]
struct Doorman {
    kubelet: Pid,
    others: Arc<Semaphore>,
    peers: Mutex<Vec<Weak<Peer>>>,
}

impl RunningServer {
    /// Serves until it is closed; `closing` turns true then. Kubelet's process is never one too many.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(
        listener: net::UnixListener,
        service: PluginService,
        closing: watch::Sender<bool>,
        kubelet: Pid,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let doorman = Arc::new(Doorman {
            kubelet,
            others: Arc::new(Semaphore::new(OTHERS)),
            peers: Mutex::default(),
        });
        let (connections, incoming) = mpsc::channel(1);
        tokio::spawn(Arc::clone(&doorman).admit(listener, connections));
        let mut close = closing.subscribe();
        let (end, ended) = watch::channel(false);
        let task = tokio::spawn(async move {
            let told_to_close = async move { drop(close.wait_for(|closing| *closing).await) };
            let service = DevicePluginServer::new(service).max_decoding_message_size(REQUEST_LIMIT);
            let mut server = Server::builder().max_concurrent_streams(CALLS).timeout(CALL_DEADLINE);
            let server = server.add_service(service);
            let served = server
                .serve_with_incoming_shutdown(ReceiverStream::new(incoming), told_to_close)
                .await;
            if let Err(error) = served {
                tracing::error!("gRPC server: {error}");
            }
            end.send_replace(true);
        });
        Ok(Self {
            closing,
            task,
            ended,
            doorman,
        })
    }

    /// Returns only if the server ends by itself.
    pub async fn failed(&self) {
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Ends the streams, lets kubelet's calls in flight finish, and returns when no connection is left. Others have no claim
    /// to hold that up.
    pub async fn close(mut self) {
        self.closing.send_replace(true);
        let kubelet = self.doorman.kubelet;
        self.doorman.cut(|pid| kubelet.is_some() && pid != kubelet);
        if timeout(DRAIN_DEADLINE, &mut self.task).await.is_err() {
            tracing::debug!("connections did not end within {} s", DRAIN_DEADLINE.as_secs());
            self.doorman.cut(|_| true);
            if timeout(DRAIN_DEADLINE, &mut self.task).await.is_err() {
                self.task.abort();
            }
        }
    }
}

impl Doorman {
    /// Takes callers until nobody wants them.
    async fn admit(self: Arc<Self>, listener: UnixListener, connections: mpsc::Sender<io::Result<Connection>>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = connections.closed() => return,
            };
            let Ok((stream, _)) = accepted else {
                sleep(PAUSE).await;
                continue;
            };
            let pid = pid_of(&stream);
            let is_kubelet = pid.is_some() && pid == self.kubelet;
            let place = Arc::clone(&self.others).try_acquire_owned().ok();
            if !is_kubelet && place.is_none() {
                tracing::debug!("too many callers on our socket: one is turned away");
                continue;
            }
            let connection = Connection::new(stream, pid, place.filter(|_| !is_kubelet));
            self.note(connection.peer());
            if connections.send(Ok(connection)).await.is_err() {
                return;
            }
        }
    }

    fn note(&self, peer: &Arc<Peer>) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|peer| peer.strong_count() > 0);
        peers.push(Arc::downgrade(peer));
    }

    fn cut(&self, whose: impl Fn(Pid) -> bool) {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let living = peers.iter().filter_map(Weak::upgrade);
        living.filter(|peer| whose(peer.pid)).for_each(|peer| peer.cut());
    }
}
