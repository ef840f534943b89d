//! The one call that we make to kubelet.

use std::error::Error;
use std::time::Duration;

use tokio::net::UnixStream;
use tonic::Status;

use super::channel::{self, root_cause};
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
        let channel = channel::over(kubelet)
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
