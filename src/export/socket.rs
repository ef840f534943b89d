//! Metrics on a unix socket, by HTTP/1.1: `curl --unix-socket PATH http://localhost/metrics`. Callers are bounded in number,
//! in what they may send, and in time.

use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nix::sys::stat::Mode;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::bounds::{END, PATIENCE};
use crate::host::failure_log::FailureLog;
use crate::host::files::unix_socket::{OwnSocket, is_dead};
use crate::host::worker::Worker;
use crate::metrics::{Meter, text};

/// For root and the socket's group, which is the directory's where that has its setgid bit: so an admin lets a scraper in.
const MODE: Mode = Mode::from_bits_truncate(0o660);
/// Callers at a time; one more takes the place of the one that has said nothing for longest, so nobody waits for others.
const CALLERS: usize = 32;
/// A caller's whole time.
const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes and lines of a request's head.
const HEAD_LIMIT: usize = 16 * 1024;
const LINES_LIMIT: usize = 64;
/// How soon a caller is taken again when none could be, for lack of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// The socket's place, and the socket while there is one.
#[derive(Debug)]
pub struct MetricsSocket {
    path: PathBuf,
    worker: Worker,
    own: Option<Arc<OwnSocket>>,
    failure_log: FailureLog,
}

impl MetricsSocket {
    /// Not made yet.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            worker: Worker::new("metrics"),
            own: None,
            failure_log: FailureLog::new("no metrics on a socket", "there are metrics on a socket again"),
        }
    }

    /// None when it cannot be, or its directory does not answer.
    async fn make(&mut self) -> Option<UnixListener> {
        let (path, runtime) = (self.path.clone(), Handle::current());
        let make = move || {
            let _entered = runtime.enter();
            // As one that is never dropped by chance: should nobody wait for it any more, it is left to the next start.
            take(&path).map(|(own, listener)| (Arc::new(own), listener))
        };
        let (made, went) = match self.worker.run_within(PATIENCE, make).await {
            Ok(Ok(made)) => (Some(made), Ok(Ok(()))),
            Ok(Err(error)) => {
                let path = self.path.display().to_string();
                (None, Ok(Err(anyhow::Error::new(error).context(path))))
            }
            Err(not_done) => (None, Err(not_done)),
        };
        self.failure_log.note_work(self.path.display(), went);
        let (own, listener) = made?;
        self.own = Some(own);
        Some(listener)
    }

    /// Removes the socket's file on its own thread; what hangs is left to the next start.
    async fn unmake(&mut self) {
        let Some(own) = self.own.take() else { return };
        let own = ManuallyDrop::new(own);
        let remove = move || drop(ManuallyDrop::into_inner(own));
        let _ = self.worker.run_within(END, remove).await;
    }

    /// Whether callers find us. While the directory does not answer, nobody knows better.
    async fn is_in_place(&self) -> bool {
        let Some(own) = self.own.clone() else { return false };
        let own = ManuallyDrop::new(own);
        let look = move || ManuallyDrop::into_inner(own).is_in_place();
        self.worker.run_within(PATIENCE, look).await.unwrap_or(true)
    }
}

/// Serves the socket, and again when somebody has removed it. Never ends.
pub async fn serve(socket: &mut Option<MetricsSocket>, meter: &Meter, mut tick: watch::Receiver<()>) {
    let Some(socket) = socket else { return pending().await };
    loop {
        if let Some(listener) = socket.make().await {
            tracing::info!("metrics are at {}", socket.path.display());
            answer(&listener, socket, meter, &mut tick).await;
            tracing::warn!("{} was removed; making it anew", socket.path.display());
            socket.unmake().await;
        } else if tick.changed().await.is_err() {
            return pending().await;
        }
    }
}

/// Takes the socket away.
pub async fn close(socket: Option<MetricsSocket>) {
    if let Some(mut socket) = socket {
        socket.unmake().await;
    }
}

/// A dead socket there is replaced; a living one, or another kind of file, is somebody else's.
fn take(path: &Path) -> io::Result<(OwnSocket, UnixListener)> {
    let is_socket = fs::symlink_metadata(path).map(|there| there.file_type().is_socket());
    match is_socket {
        Ok(false) => {
            return Err(io::Error::other(
                "it is there and no socket: remove it, or name another path",
            ));
        }
        Ok(true) if is_dead(path) => fs::remove_file(path)?,
        Ok(true) => {
            return Err(io::Error::other(
                "another program serves it: stop that, or name another path",
            ));
        }
        Err(_) => {}
    }
    OwnSocket::bind(path, MODE)
}

/// Returns when the socket is no longer in its place.
async fn answer(listener: &UnixListener, socket: &MetricsSocket, meter: &Meter, tick: &mut watch::Receiver<()>) {
    let mut callers: Vec<Caller> = Vec::new();
    while socket.is_in_place().await {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((caller, _)) => {
                    callers.retain(|caller| !caller.talk.is_finished());
                    if callers.len() >= CALLERS {
                        let silent = callers.iter().position(|caller| !caller.has_asked.load(Ordering::Relaxed));
                        callers.remove(silent.unwrap_or(0)).talk.abort();
                    }
                    callers.push(Caller::new(caller, meter.clone(), socket.worker.clone()));
                }
                Err(_) => sleep(PAUSE).await,
            },
            Ok(()) = tick.changed() => {}
        }
    }
}

/// Somebody who has called.
struct Caller {
    talk: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

impl Caller {
    fn new(stream: UnixStream, meter: Meter, texts: Worker) -> Self {
        let has_asked = Arc::new(AtomicBool::new(false));
        let talk = tokio::spawn(talk(stream, meter, texts, Arc::clone(&has_asked)));
        Self {
            talk: talk.abort_handle(),
            has_asked,
        }
    }
}

/// What a caller does wrong is its own business.
async fn talk(caller: UnixStream, meter: Meter, texts: Worker, has_asked: Arc<AtomicBool>) {
    let service = service_fn(move |request| {
        has_asked.store(true, Ordering::Relaxed);
        respond(request, meter.clone(), texts.clone())
    });
    let talking = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(LINES_LIMIT)
        .serve_connection(TokioIo::new(caller), service);
    let _ = timeout(DEADLINE, talking).await;
}

async fn respond(request: Request<Incoming>, meter: Meter, texts: Worker) -> Result<Response<String>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(refusal(StatusCode::NOT_FOUND, "metrics are at /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "metrics can be read only\n");
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(answer);
    }
    // On a thread of its own: many NICs make a long text, and kubelet must not wait for it.
    let Ok(text) = texts.run(move || meter.text()).await else {
        return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "no metrics\n"));
    };
    let mut answer = Response::new(text);
    let kind = HeaderValue::from_static(text::CONTENT_TYPE);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(answer)
}

fn refusal(status: StatusCode, text: &str) -> Response<String> {
    let mut answer = Response::new(text.to_owned());
    *answer.status_mut() = status;
    answer
}
