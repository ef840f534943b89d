//! The sockets at which a runtime may be. Their file system may hang, so they are looked at and called by a thread of its
//! own.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::host::files::unix_socket::{Call, SocketLife, call};
use crate::host::worker::Worker;

/// What a disk at its slowest takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a runtime may be asked.
#[derive(Debug, Clone)]
pub struct CriSocket {
    /// As the host has it.
    pub path: PathBuf,
    /// As we see it.
    pub local: PathBuf,
}

/// All of them.
#[derive(Debug)]
pub struct CriSockets {
    sockets: Vec<CriSocket>,
    worker: Worker,
}

/// Who serves each of them; none where nobody can.
pub type Lives = Vec<Option<SocketLife>>;

impl CriSockets {
    /// Looks at nothing yet.
    pub fn new(sockets: Vec<CriSocket>) -> Self {
        let worker = Worker::new("cri");
        Self { sockets, worker }
    }

    /// Where they are, as the host has it.
    pub fn paths(&self) -> String {
        let paths = self.sockets.iter().map(|socket| socket.path.display().to_string());
        paths.collect::<Vec<_>>().join(", ")
    }

    /// The lives they are of; none when that cannot be told.
    pub async fn lives(&self) -> Option<Lives> {
        let sockets = self.sockets.clone();
        let look = move || sockets.iter().map(|socket| SocketLife::of(&socket.local)).collect();
        self.worker.run_within(PATIENCE, look).await.ok()
    }

    /// Those that are there.
    pub fn present<'a>(&'a self, lives: &'a Lives) -> impl Iterator<Item = &'a CriSocket> {
        let all = self.sockets.iter().zip(lives);
        all.filter_map(|(socket, life)| life.map(|_| socket))
    }

    /// Calls one of them, without waiting for it.
    ///
    /// # Errors
    /// What the system says.
    pub async fn call(&self, socket: &CriSocket) -> io::Result<Call> {
        let local = socket.local.clone();
        let called = self.worker.run_within(PATIENCE, move || call(&local)).await;
        called.map_err(io::Error::other)?
    }
}
