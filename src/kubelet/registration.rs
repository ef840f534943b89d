//! The one call that we make to kubelet.

use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use super::pb;
use super::pb::registration_client::RegistrationClient;
use super::service::OPTIONS;
use crate::model::alloc::brief::beginning;
use crate::model::alloc::resource::ResourceName;

/// Kubelet dials back inside the call and gives that 10 s.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Characters of kubelet's words that are passed on.
const MESSAGE: usize = 500;

/// Tells kubelet of our endpoint over this connection, which must be older than the endpoint's socket: a starting kubelet
/// removes all sockets, then listens, so one that has taken our call removes none any more.
///
/// # Errors
/// A whole sentence for the log.
pub async fn register(kubelet: UnixStream, endpoint: String, resource: &ResourceName) -> Result<(), String> {
    let calling = async {
        let channel = channel(kubelet)
            .await
            .map_err(|error| format!("cannot talk to kubelet: {}", root_cause(&error)))?;
        let request = pb::RegisterRequest {
            version: "v1beta1".to_owned(),
            endpoint,
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
    let message = beginning(status.message(), MESSAGE);
    format!("kubelet refused the registration of {resource}: {message}")
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
