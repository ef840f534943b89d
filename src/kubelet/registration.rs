//! Kubelet's socket, and the one call we make to it.

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use super::pb;
use super::pb::registration_client::RegistrationClient;
use super::service::OPTIONS;
use crate::host::files::unix_socket::OwnSocket;
use crate::model::alloc::resource::ResourceName;

/// Kubelet dials back inside the call and gives that 10 s.
const DEADLINE: Duration = Duration::from_secs(20);

/// One life of kubelet, told by its socket: device, inode and the nanoseconds of its last status change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64, u64, i128);

impl Epoch {
    /// The life of the kubelet whose socket stands in this directory now, if there is one.
    pub fn current(kubelet_dir: &Path) -> Option<Self> {
        let metadata = fs::metadata(socket_path(kubelet_dir)).ok()?;
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        metadata
            .file_type()
            .is_socket()
            .then(|| Self(metadata.dev(), metadata.ino(), changed))
    }
}

/// Where kubelet listens.
pub fn socket_path(kubelet_dir: &Path) -> PathBuf {
    kubelet_dir.join("kubelet.sock")
}

/// Tells kubelet of our endpoint. The error is a whole sentence for the log.
pub async fn register(kubelet_dir: &Path, own: &OwnSocket, resource: &ResourceName) -> Result<(), String> {
    let calling = async {
        let socket = socket_path(kubelet_dir);
        let cannot_connect =
            |error: &dyn Error| format!("cannot connect to {}: {}", socket.display(), root_cause(error));
        let connection = UnixStream::connect(&socket)
            .await
            .map_err(|error| cannot_connect(&error))?;
        // A starting kubelet removes all sockets, then listens: one that started since we bound ours would be told of
        // a name that is gone.
        if !own.is_in_place() {
            return Err("kubelet was starting and has removed our socket".to_owned());
        }
        let channel = channel(connection).await.map_err(|error| cannot_connect(&error))?;
        let request = pb::RegisterRequest {
            version: "v1beta1".to_owned(),
            endpoint: own.file_name(),
            resource_name: resource.to_string(),
            options: Some(OPTIONS),
        };
        let answer = RegistrationClient::new(channel).register(request).await;
        answer.map(drop).map_err(|status| refusal(&status, resource))
    };
    let timed_out = |_| format!("kubelet did not answer within {} s", DEADLINE.as_secs());
    tokio::time::timeout(DEADLINE, calling).await.map_err(timed_out)?
}

/// A status that kubelet sent has no source; one that our transport made of a failure has.
fn refusal(status: &Status, resource: &ResourceName) -> String {
    if status.source().is_some() {
        return "the connection to kubelet was lost during the registration".to_owned();
    }
    format!("kubelet refused the registration of {resource}: {}", status.message())
}

/// A channel over this one connection. tonic's own would dial anew when the connection is lost, and so tell the next
/// kubelet of a socket that it has removed.
async fn channel(connection: UnixStream) -> Result<Channel, tonic::transport::Error> {
    let once = Mutex::new(Some(TokioIo::new(connection)));
    let connector = tower::service_fn(move |_: Uri| {
        let connection = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(connection.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    });
    // The origin becomes the authority, for which a server may want a host name.
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(connector).await
}

fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
