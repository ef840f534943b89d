//! Kubelet's client to one plugin endpoint: dial, options, and the ListAndWatch stream.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Response, Status, Streaming};

use super::devices::DeviceTable;
use super::pb;
use super::pb::device_plugin_client::DevicePluginClient;
use super::rules::list::{self, MAX_MESSAGE};
use super::rules::{Rule, Violation};
use super::state::Shared;
use super::transcript::Event;

/// How long to wait between two tries of a dial. A real kubelet starts with gRPC-Go's second; sooner only helps.
const REDIAL: Duration = Duration::from_millis(50);
/// Bigger messages than kubelet's are received, so that their size can be told.
const RECEIVED: usize = 16 * MAX_MESSAGE;

/// Why an endpoint could not be connected. The texts start as those of `client.go` and `manager.go` do.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("failed to dial device plugin: the socket path {0:?} is not UTF-8")]
    Path(PathBuf),
    #[error("failed to dial device plugin: context deadline exceeded: {0}")]
    Deadline(String),
    #[error("failed to get device plugin options: {}", go_text(.0))]
    Options(Status),
}

/// A status as gRPC-Go writes it, which is what people find in kubelet's log.
pub fn go_text(status: &Status) -> String {
    format!("rpc error: code = {:?} desc = {}", status.code(), status.message())
}

/// Calls to a plugin.
pub type Client = DevicePluginClient<Channel>;

/// A connection to a plugin; every copy of it is the same connection.
#[derive(Debug, Clone)]
pub struct Connection {
    api: Client,
    closed: watch::Sender<bool>,
    /// The plugin's socket.
    pub socket: PathBuf,
    /// The plugin's answer to GetDevicePluginOptions.
    pub options: pb::DevicePluginOptions,
}

impl Connection {
    /// Connects as `dial` in `client.go` does, trying again until `limit`, with `localhost` as `:authority`, and asks for
    /// the options as `PluginConnected` in `manager.go` does.
    ///
    /// A real kubelet waits for HTTP/2's first frame within the limit and then forever for the options. Here both
    /// have the one limit: a test must not hang, and a plugin that listens without serving fails just the same.
    pub async fn dial(socket: &Path, limit: Duration) -> Result<Connection, DialError> {
        let path = socket.to_str().ok_or_else(|| DialError::Path(socket.to_owned()))?;
        let endpoint = Endpoint::from_shared(format!("unix:{path}"))
            .map_err(|error| DialError::Deadline(error.to_string()))?
            .origin(Uri::from_static("http://localhost"));
        let mut state = "no answer to GetDevicePluginOptions".to_owned();
        let dialled = tokio::time::timeout(limit, async {
            let channel = loop {
                match endpoint.connect().await {
                    Ok(channel) => break channel,
                    Err(error) => state = innermost(&error),
                }
                tokio::time::sleep(REDIAL).await;
            };
            state = "no answer to GetDevicePluginOptions".to_owned();
            let mut api = DevicePluginClient::new(channel).max_decoding_message_size(RECEIVED);
            let options = api
                .get_device_plugin_options(pb::Empty {})
                .await
                .map_err(DialError::Options)?
                .into_inner();
            Ok(Connection {
                api,
                closed: watch::Sender::new(false),
                socket: socket.to_owned(),
                options,
            })
        })
        .await;
        dialled.unwrap_or_else(|_| Err(DialError::Deadline(state)))
    }

    /// Ends the connection with everything on it, as `grpc.ClientConn.Close` does.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// For calls that are no matter of kubelet's.
    pub fn client(&self) -> Client {
        self.api.clone()
    }

    /// The answer to one call, or an error as soon as the connection is closed.
    pub async fn call<T>(
        &self,
        call: impl AsyncFnOnce(DevicePluginClient<Channel>) -> Result<Response<T>, Status>,
    ) -> Result<T, Status> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            answer = call(self.api.clone()) => answer.map(Response::into_inner),
            _ = closed.wait_for(|closed| *closed) => Err(Status::cancelled("grpc: the client connection is closing")),
        }
    }
}

/// The first cause of an error: tonic's own text says only "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `runClient` of `handler.go`: takes in the ListAndWatch stream to its end. Kubelet never opens it again.
pub async fn follow(shared: Arc<Shared>, resource: String, connection: Connection) {
    let ended = {
        let mut closed = connection.closed.subscribe();
        tokio::select! {
            received = receive(&shared, &resource, &connection) => match received {
                Ok(()) => "the plugin ended the stream".to_owned(),
                Err(status) => go_text(&status),
            },
            _ = closed.wait_for(|closed| *closed) => "kubelet closed the connection".to_owned(),
        }
    };
    shared.update(|state| {
        if let Some(open) = state.streams.get_mut(&resource) {
            *open = open.saturating_sub(1);
        }
        state.disconnect(&resource);
        state.record(Event::StreamEnded {
            resource,
            reason: ended,
        });
    });
}

/// Takes in the stream as [`follow`] does, and hands each message on to a real kubelet, until either side ends it.
pub async fn hand_on(
    shared: Arc<Shared>,
    resource: String,
    connection: Connection,
    kubelet: mpsc::Sender<Result<List, Status>>,
) {
    let pass = async {
        let mut stream = connection.client().list_and_watch(pb::Empty {}).await?.into_inner();
        while let Some(list) = stream.message().await? {
            take(&shared, &resource, &connection, &list, None)?;
            if kubelet.send(Ok(list)).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let mut closed = connection.closed.subscribe();
    let ended = tokio::select! {
        passed = pass => passed,
        () = kubelet.closed() => Ok(()),
        _ = closed.wait_for(|closed| *closed) => Ok(()),
    };
    let reason = ended.as_ref().map_or_else(go_text, |()| "one side ended it".to_owned());
    shared.update(|state| {
        if let Some(open) = state.streams.get_mut(&resource) {
            *open = open.saturating_sub(1);
        }
        state.disconnect(&resource);
        state.record(Event::StreamEnded { resource, reason });
    });
    if let Err(status) = ended {
        // It may have ended too.
        let _ = kubelet.send(Err(status)).await;
    }
}

/// Reads messages until the stream ends.
async fn receive(shared: &Shared, resource: &str, connection: &Connection) -> Result<(), Status> {
    let limit = shared.timing.first_list;
    let mut opening = pin!(open(connection.api.clone()));
    let (mut stream, mut message) = match tokio::time::timeout(limit, &mut opening).await {
        Ok(opened) => opened?,
        Err(_) => {
            let text = format!("no message on the stream of {resource} within {limit:?}");
            shared.update(|state| state.object([Violation::new(Rule::FirstListLate, text)]));
            opening.await?
        }
    };
    let mut last = None;
    while let Some(list) = message {
        last = Some(take(shared, resource, connection, &list, last)?);
        message = stream.message().await?;
    }
    Ok(())
}

type List = pb::ListAndWatchResponse;

/// Opens the stream and waits for its first message.
async fn open(mut api: DevicePluginClient<Channel>) -> Result<(Streaming<List>, Option<List>), Status> {
    let mut stream = api.list_and_watch(pb::Empty {}).await?.into_inner();
    let first = stream.message().await?;
    Ok((stream, first))
}

/// Takes in one message, which replaces everything known of the resource.
fn take(
    shared: &Shared,
    resource: &str,
    connection: &Connection,
    list: &List,
    last: Option<DeviceTable>,
) -> Result<DeviceTable, Status> {
    let bytes = list.encoded_len();
    if let Some(violation) = list::size(bytes) {
        shared.update(|state| state.object([violation]));
        return Err(Status::resource_exhausted(format!(
            "grpc: received message larger than max ({bytes} vs. {MAX_MESSAGE})"
        )));
    }
    let table = DeviceTable::from_list(list);
    let repeated = (last.as_ref() == Some(&table)).then(|| {
        Violation::new(
            Rule::RepeatedList,
            format!("a list of {resource} that is the same as the one before"),
        )
    });
    shared.update(|state| {
        // A connection is closed under this lock: once its devices are unhealthy, no message can make them healthy again.
        if *connection.closed.borrow() {
            return;
        }
        let devices = table.all().into_iter().map(Into::into).collect();
        state.record(Event::List {
            resource: resource.to_owned(),
            devices,
        });
        state.object(list::message(list));
        state.object(repeated);
        state.resources.entry(resource.to_owned()).or_default().devices = table.clone();
    });
    Ok(table)
}
