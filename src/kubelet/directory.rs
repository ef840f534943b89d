//! Kubelet's directory. Its file system may be slow or hang, so everything in it is looked at, called, made and removed by a
//! thread of its own; what does not come back in time is left behind.

use std::io;
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::competing::{self, Named};
use super::socket;
use crate::host::files::sandbox::{StaleSandbox, WritableDir};
pub use crate::host::files::unix_socket::SocketLife as Epoch;
use crate::host::files::unix_socket::{Call, SocketFile, call};
use crate::host::worker::{NotDone, Worker};
use crate::model::alloc::resource::ResourceName;

/// What a disk at its slowest takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// How it stands with kubelet's socket.
#[derive(Debug)]
pub enum Found {
    /// It is not there.
    Absent,
    /// It cannot be called.
    Failed(io::Error),
    /// It is there, and this came of a call.
    Called(Epoch, Call),
}

/// What has become of a registration's files.
#[derive(Debug)]
pub struct Seen {
    /// Kubelet's socket; none if it is not there.
    pub epoch: Option<Epoch>,
    /// Whether our own socket is where it was made.
    pub is_in_place: bool,
    /// Living sockets of other plugins for our resource.
    pub competing: Vec<String>,
}

/// The directory, and whose sockets in it are ours.
#[derive(Debug, Clone)]
pub struct KubeletDir {
    path: PathBuf,
    resource: ResourceName,
    worker: Worker,
    at_start: Arc<OnceLock<WritableDir>>,
}

impl KubeletDir {
    /// Looks at nothing yet.
    pub fn new(path: PathBuf, resource: ResourceName) -> Self {
        Self {
            path,
            resource,
            worker: Worker::new("kubelet"),
            at_start: Arc::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers how the directory is now, for [`check`](Self::check). The first [`find`](Self::find) does so as well.
    pub async fn remember(&self) {
        let (path, at_start) = (self.path.clone(), Arc::clone(&self.at_start));
        // One that hangs is remembered as it is when it answers.
        let _ = self.done(move || drop(at_start.set(WritableDir::new(&path)))).await;
    }

    /// To be asked when no socket could be made.
    ///
    /// # Errors
    /// Another start would help.
    pub async fn check(&self) -> Result<(), StaleSandbox> {
        let at_start = Arc::clone(&self.at_start);
        let check = move || at_start.get().map_or(Ok(()), WritableDir::check);
        self.done(check).await.unwrap_or(Ok(()))
    }

    /// Calls kubelet.
    ///
    /// # Errors
    /// The directory hangs.
    pub async fn find(&self) -> Result<Found, NotDone> {
        let (path, at_start) = (self.path.clone(), Arc::clone(&self.at_start));
        let find = move || {
            at_start.get_or_init(|| WritableDir::new(&path));
            let Some(epoch) = epoch(&path) else {
                return Found::Absent;
            };
            call(&socket_path(&path)).map_or_else(Found::Failed, |call| Found::Called(epoch, call))
        };
        self.done(find).await
    }

    /// Which life kubelet's socket is of.
    ///
    /// # Errors
    /// The directory hangs.
    pub async fn epoch(&self) -> Result<Option<Epoch>, NotDone> {
        let path = self.path.clone();
        self.done(move || epoch(&path)).await
    }

    /// Looks at everything that a registration stands on; `known` are competing sockets that need no call any more.
    ///
    /// # Errors
    /// The directory hangs.
    pub async fn look(&self, own: &SocketFile, known: Named) -> Result<Seen, NotDone> {
        let (dir, own) = (self.clone_of_names(), own.clone());
        let look = move || Seen {
            epoch: epoch(&dir.0),
            is_in_place: own.is_in_place(),
            competing: competing::sockets(&dir.0, &dir.1, &known),
        };
        self.done(look).await
    }

    /// Makes our socket of this number.
    ///
    /// # Errors
    /// The directory hangs, or what the system says.
    pub async fn bind(&self, count: u64) -> Result<io::Result<(SocketFile, net::UnixListener)>, NotDone> {
        let (path, resource) = self.clone_of_names();
        self.done(move || socket::bind(&path, &resource, count)).await
    }

    /// Removes our socket. In a directory that hangs it stays for our successor to remove.
    pub async fn remove(&self, own: SocketFile) {
        let _ = self.done(move || own.remove()).await;
    }

    fn clone_of_names(&self) -> (PathBuf, ResourceName) {
        (self.path.clone(), self.resource.clone())
    }

    async fn done<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, NotDone> {
        self.worker.run_within(PATIENCE, job).await
    }
}

/// The life that kubelet's socket is of.
fn epoch(kubelet_dir: &Path) -> Option<Epoch> {
    Epoch::of(&socket_path(kubelet_dir))
}

/// Where kubelet listens.
fn socket_path(kubelet_dir: &Path) -> PathBuf {
    kubelet_dir.join("kubelet.sock")
}
