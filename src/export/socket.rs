//! Metrics on a unix socket, by HTTP/1.1: `curl --unix-socket PATH http://localhost/metrics`. Callers are bounded in number,
//! in what they may send, and in time.

use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
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
use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::failure_log::FailureLog;
use crate::host::files::unix_socket::{OwnSocket, is_dead};
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

/// Serves the socket, and again when somebody has removed it. Never ends.
pub async fn serve(path: Option<&Path>, meter: &Meter, mut tick: watch::Receiver<()>) {
    let Some(path) = path else { return pending().await };
    let mut failure_log = FailureLog::new("metrics on a socket");
    loop {
        match take(path) {
            Ok((socket, listener)) => {
                failure_log.note(Ok(()));
                tracing::info!("metrics are at {}", path.display());
                answer(&listener, &socket, meter, &mut tick).await;
                tracing::warn!("{} was removed; making it anew", path.display());
            }
            Err(error) => {
                failure_log.note(Err(format!("{}: {error}", path.display())));
                if tick.changed().await.is_err() {
                    return pending().await;
                }
            }
        }
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
async fn answer(listener: &UnixListener, socket: &OwnSocket, meter: &Meter, tick: &mut watch::Receiver<()>) {
    let mut callers: Vec<Caller> = Vec::new();
    while socket.is_in_place() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((caller, _)) => {
                    callers.retain(|caller| !caller.talk.is_finished());
                    if callers.len() >= CALLERS {
                        let silent = callers.iter().position(|caller| !caller.has_asked.load(Ordering::Relaxed));
                        callers.remove(silent.unwrap_or(0)).talk.abort();
                    }
                    callers.push(Caller::new(caller, meter.clone()));
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
    fn new(stream: UnixStream, meter: Meter) -> Self {
        let has_asked = Arc::new(AtomicBool::new(false));
        let talk = tokio::spawn(talk(stream, meter, Arc::clone(&has_asked)));
        Self {
            talk: talk.abort_handle(),
            has_asked,
        }
    }
}

/// What a caller does wrong is its own business.
async fn talk(caller: UnixStream, meter: Meter, has_asked: Arc<AtomicBool>) {
    let service = service_fn(move |request| {
        has_asked.store(true, Ordering::Relaxed);
        respond(request, meter.clone())
    });
    let talking = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(LINES_LIMIT)
        .serve_connection(TokioIo::new(caller), service);
    let _ = timeout(DEADLINE, talking).await;
}

async fn respond(request: Request<Incoming>, meter: Meter) -> Result<Response<String>, Infallible> {
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
    let Ok(text) = spawn_blocking(move || meter.text()).await else {
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
