//! A gRPC channel over one connection of ours.

use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

/// Bytes that the other side may send before it hears of us.
const WINDOW: u32 = 1 << 20;

/// A channel over this one connection. tonic's own would dial anew when the connection is lost, and so talk to a next
/// server without a word of it.
///
/// # Errors
/// What the server at the other end says is no HTTP/2, at the root of the cause.
pub async fn channel(connection: UnixStream) -> Result<Channel, String> {
    let once = Mutex::new(Some(TokioIo::new(connection)));
    let connector = tower::service_fn(move |_: Uri| {
        let connection = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(connection.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    });
    // The origin becomes the authority, for which a server may want a host name.
    let endpoint = Endpoint::from_static("http://localhost");
    // A large answer comes in few turns.
    let endpoint = endpoint.initial_stream_window_size(WINDOW);
    let endpoint = endpoint.initial_connection_window_size(WINDOW);
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| root_cause(&error))
}

/// Whether a status is of our transport, which made it of a failure: one that a server sent has no source.
pub fn is_of_transport(status: &Status) -> bool {
    status.source().is_some()
}

/// What is at the root of an error.
pub fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
