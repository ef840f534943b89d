//! A connection to our socket: who is at its other end, and what that has taken.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use tonic::transport::server::Connected;

use super::streams::Pid;
use crate::host::files::unread::unread;

/// Between two looks at what is taken: at first, and at most.
const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_millis(500);

/// What the streams on a connection know of it.
#[derive(Debug)]
pub struct Peer {
    /// The process at the other end.
    pub pid: Pid,
    written: AtomicU64,
    /// The same socket once more; none for lack of a descriptor.
    socket: Option<OwnedFd>,
}

impl Peer {
    /// A mark from which to count what is written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes have been written since the mark, and the other side has read all of them. HTTP/2 keeps back
    /// what a window has no room for, and the kernel what nobody reads.
    pub async fn has_read(&self, mark: u64, bytes: usize) {
        let enough = mark.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let mut wait = SOON;
        while self.written() < enough || self.unread() {
            sleep(wait).await;
            wait = (wait * 2).min(LATE);
        }
    }

    fn unread(&self) -> bool {
        let unread = self.socket.as_ref().and_then(|socket| unread(socket.as_fd()));
        unread.is_some_and(|bytes| bytes > 0)
    }

    /// Ends the connection, whatever the other side does.
    pub fn cut(&self) {
        if let Some(socket) = &self.socket {
            // It may be over already.
            let _ = shutdown(socket.as_raw_fd(), Shutdown::Both);
        }
    }
}

/// The connection itself, for the server.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    peer: Arc<Peer>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// With its place among those that are limited in number.
    pub fn new(stream: UnixStream, pid: Pid, place: Option<OwnedSemaphorePermit>) -> Self {
        let socket = stream.as_fd().try_clone_to_owned().ok();
        let written = AtomicU64::default();
        Self {
            stream,
            peer: Arc::new(Peer { pid, written, socket }),
            _place: place,
        }
    }

    /// What its streams will know of it.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    fn count(&self, written: usize) -> usize {
        let bytes = u64::try_from(written).unwrap_or(u64::MAX);
        self.peer.written.fetch_add(bytes, Ordering::Relaxed);
        written
    }
}

/// The process at the other end of a socket.
pub fn pid_of(stream: &UnixStream) -> Pid {
    let credentials = stream.peer_cred().ok()?;
    credentials.pid().filter(|pid| *pid > 0)
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Self::ConnectInfo {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        Poll::Ready(Ok(self.count(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        Poll::Ready(Ok(self.count(written)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
