//! A gRPC channel over a connection that is there already.

use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Bytes that the other side may send before it hears of us.
const WINDOW: u32 = 1 << 20;

/// A channel over this one connection. tonic's own would dial anew when the connection is lost, and so speak to another
/// kubelet than the one that was called.
pub async fn over(connection: UnixStream) -> Result<Channel, tonic::transport::Error> {
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
    endpoint.connect_with_connector(connector).await
}

/// What all of it comes from.
pub fn root_cause(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
