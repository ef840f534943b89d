//! Between the daemon and a real kubelet: each call goes on to the other side as it came, and what kubelet and the daemon see
//! of each other is recorded. The daemon registers in a directory of its own, where this stands for kubelet.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::transport::{Endpoint, Server, Uri};
use tonic::{Request, Response, Status};

use super::directory::{SOCKET, endpoint_path};
use super::endpoint::{Connection, go_text, hand_on};
use super::pb::device_plugin_server::{DevicePlugin, DevicePluginServer};
use super::pb::registration_client::RegistrationClient;
use super::pb::registration_server::Registration;
use super::pb::{self, Empty};
use super::state::{Client, Shared};
use super::transcript::Event;

/// Takes the daemon's registrations for a real kubelet.
pub struct Relay {
    pub shared: Arc<Shared>,
    /// The real kubelet's directory of sockets.
    pub dir: PathBuf,
}

#[tonic::async_trait]
impl Registration for Relay {
    async fn register(&self, request: Request<pb::RegisterRequest>) -> Result<Response<Empty>, Status> {
        let request = request.into_inner();
        let resource = request.resource_name.clone();
        self.shared.update(|state| {
            *state.registrations.entry(resource.clone()).or_default() += 1;
        });
        let answer = register(self.shared.clone(), &self.dir, request).await;
        if let Err(refusal) = &answer {
            let reason = refusal.message().to_owned();
            self.shared
                .update(|state| state.record(Event::RegistrationRefused { resource, reason }));
        }
        answer.map(Response::new)
    }
}

/// Offers the daemon's calls on a socket of the same name, and tells kubelet of it.
async fn register(shared: Arc<Shared>, dir: &Path, request: pb::RegisterRequest) -> Result<Empty, Status> {
    let plugin = Relayed {
        socket: endpoint_path(&shared.dir, &request.endpoint),
        shared,
        request: request.clone(),
        connection: Mutex::default(),
    };
    let socket = endpoint_path(dir, &request.endpoint);
    let listener = tokio::net::UnixListener::bind(&socket).map_err(|error| no_way(&error))?;
    std::fs::set_permissions(&socket, Permissions::from_mode(0o600)).map_err(|error| no_way(&error))?;
    let server = Server::builder()
        .add_service(DevicePluginServer::new(plugin))
        .serve_with_incoming(UnixListenerStream::new(listener));
    // It ends with this life of kubelet.
    tokio::spawn(server);
    let kubelet = Endpoint::from_shared(format!("unix:{}", dir.join(SOCKET).display()))
        .map_err(|error| no_way(&error))?
        .origin(Uri::from_static("http://localhost"))
        .connect()
        .await
        .map_err(|error| no_way(&error))?;
    RegistrationClient::new(kubelet)
        .register(request)
        .await
        .map(Response::into_inner)
}

fn no_way(error: &dyn std::error::Error) -> Status {
    Status::unavailable(format!("no way to the real kubelet: {error}"))
}

/// One registration of the daemon, as kubelet sees it.
struct Relayed {
    shared: Arc<Shared>,
    request: pb::RegisterRequest,
    /// The daemon's.
    socket: PathBuf,
    connection: Mutex<Option<Connection>>,
}

type Lists = Pin<Box<dyn Stream<Item = Result<pb::ListAndWatchResponse, Status>> + Send>>;

impl Relayed {
    fn connection(&self) -> Result<Connection, Status> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.ok_or_else(|| Status::failed_precondition("a call before GetDevicePluginOptions"))
    }
}

#[tonic::async_trait]
impl DevicePlugin for Relayed {
    /// Kubelet's first call, inside Register: the registration has succeeded when it is answered.
    async fn get_device_plugin_options(&self, _: Request<Empty>) -> Result<Response<pb::DevicePluginOptions>, Status> {
        let connection = Connection::dial(&self.socket, self.shared.timing.dial)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let resource = self.request.resource_name.clone();
        self.shared.update(|state| {
            let client = Client {
                number: 0,
                connection: Some(connection.clone()),
            };
            state.clients.insert(resource.clone(), client);
            *state.streams.entry(resource.clone()).or_default() += 1;
            state.resources.entry(resource.clone()).or_default().endpoint = Some(connection.clone());
            state.record(Event::Registered {
                resource,
                version: self.request.version.clone(),
                endpoint: self.request.endpoint.clone(),
                options: self.request.options.unwrap_or_default().into(),
            });
        });
        let options = connection.options;
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(Response::new(options))
    }

    type ListAndWatchStream = Lists;

    async fn list_and_watch(&self, _: Request<Empty>) -> Result<Response<Lists>, Status> {
        let (send, receive) = mpsc::channel(1);
        let resource = self.request.resource_name.clone();
        tokio::spawn(hand_on(self.shared.clone(), resource, self.connection()?, send));
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    async fn allocate(&self, request: Request<pb::AllocateRequest>) -> Result<Response<pb::AllocateResponse>, Status> {
        let resource = &self.request.resource_name;
        let answer = self
            .connection()?
            .call(async |mut api| api.allocate(request).await)
            .await;
        self.shared.update(|state| match &answer {
            Ok(answer) => state.record(Event::AllocateResponse {
                resource: resource.clone(),
                containers: answer.container_responses.iter().map(Into::into).collect(),
            }),
            Err(status) => state.record(Event::AllocateRefused {
                resource: resource.clone(),
                reason: go_text(status),
            }),
        });
        answer.map(Response::new)
    }

    async fn get_preferred_allocation(
        &self,
        request: Request<pb::PreferredAllocationRequest>,
    ) -> Result<Response<pb::PreferredAllocationResponse>, Status> {
        let connection = self.connection()?;
        let answer = connection
            .call(async |mut api| api.get_preferred_allocation(request).await)
            .await;
        answer.map(Response::new)
    }

    async fn pre_start_container(
        &self,
        request: Request<pb::PreStartContainerRequest>,
    ) -> Result<Response<pb::PreStartContainerResponse>, Status> {
        let connection = self.connection()?;
        let answer = connection
            .call(async |mut api| api.pre_start_container(request).await)
            .await;
        answer.map(Response::new)
    }
}

/// A real kubelet that somebody else starts and ends, and to whom he gives pods.
#[derive(Debug, Clone)]
pub struct RealKubelet {
    /// Its directory of sockets.
    pub dir: PathBuf,
    /// Called with `reset`, `start`, `kill`, `terminate`, `pod NAME COUNT`, `delete NAME` or `has CAPACITY ALLOCATABLE`; it comes back
    /// when that is so, or fails and says why.
    pub control: PathBuf,
}

impl RealKubelet {
    /// Has something done, and waits for it.
    ///
    /// # Errors
    /// What the program said of its failure.
    pub fn have(&self, words: &[&str]) -> io::Result<()> {
        let done = std::process::Command::new(&self.control).args(words).output()?;
        if done.status.success() {
            return Ok(());
        }
        let said = [done.stdout, done.stderr].concat();
        Err(io::Error::other(String::from_utf8_lossy(&said).trim().to_owned()))
    }

    /// Whether it has left its socket.
    pub fn has_socket(&self) -> bool {
        self.dir.join(SOCKET).exists()
    }
}
