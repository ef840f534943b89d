//! One runtime is asked who it is, over one connection.

use std::path::Path;

use tokio::net::UnixStream;
use tonic::{Code, Status};

use super::pb;
use super::pb::runtime_service_client::RuntimeServiceClient;
use crate::kubelet::channel::{channel, is_of_transport, root_cause};
use crate::model::alloc::brief::beginning;
use crate::model::runtime::answer::{RuntimeFacts, RuntimeSettings};

/// Bytes of the longest answer: containerd prints its whole configuration, which has some 10 KiB.
const LIMIT: usize = 1024 * 1024;
/// Characters of a runtime's words that are passed on.
const MESSAGE: usize = 200;
/// Of the API, as kubelet has it.
const API: &str = "0.1.0";

/// Why there is no answer, in words that follow the name of the socket.
#[derive(Debug)]
pub enum NoAnswer {
    /// It is no runtime of any kubelet.
    NotServed(String),
    /// It may be one.
    Failed(String),
}

/// Asks whoever is at the other end.
///
/// # Errors
/// There is no answer.
pub async fn ask(connection: UnixStream, socket: &Path) -> Result<RuntimeFacts, NoAnswer> {
    let channel = channel(connection)
        .await
        .map_err(|cause| NoAnswer::Failed(format!("does not speak gRPC: {cause}")))?;
    let mut runtime = RuntimeServiceClient::new(channel).max_decoding_message_size(LIMIT);
    let version = API.to_owned();
    let answer = runtime.version(pb::VersionRequest { version }).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    let mut facts = RuntimeFacts::new(socket, &answer.runtime_name, &answer.runtime_version);
    if facts.depends_on_settings() {
        let answer = runtime.status(pb::StatusRequest { verbose: true }).await;
        let info = answer.map_err(|status| refusal(&status))?.into_inner().info;
        if let Some(config) = info.get("config") {
            facts.settings = RuntimeSettings::parse(config).map_err(NoAnswer::Failed)?;
        }
    }
    Ok(facts)
}

fn refusal(status: &Status) -> NoAnswer {
    if is_of_transport(status) {
        return NoAnswer::Failed(format!("broke off: {}", root_cause(status)));
    }
    let message = beginning(status.message(), MESSAGE);
    match status.code() {
        Code::Unimplemented => NoAnswer::NotServed(format!("serves no CRI of version 1: {message}")),
        code => NoAnswer::Failed(format!("does not say what it is: {code:?}: {message}")),
    }
}
