//! The Registration service: what happens inside a Register call, in kubelet's order (`server.go`, `Register`).

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::directory::{endpoint_file, endpoint_path};
use super::endpoint::{Connection, DialError, follow};
use super::names::is_extended_resource;
use super::pb;
use super::rules::{Rule, Violation, registration};
use super::state::{Client, Shared};
use super::transcript::Event;

/// The only version kubelet speaks (`SupportedVersions` in `constants.go`).
const VERSION: &str = "v1beta1";

/// Why kubelet refuses a registration, in kubelet's words.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("requested API version {0:?} is not supported by kubelet. Supported versions are [{VERSION:?}]")]
    Version(String),
    #[error("the ResourceName {0:?} is invalid")]
    Name(String),
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// The service of one life.
pub struct Registrar {
    pub shared: Arc<Shared>,
}

#[tonic::async_trait]
impl pb::registration_server::Registration for Registrar {
    async fn register(&self, request: Request<pb::RegisterRequest>) -> Result<Response<pb::Empty>, Status> {
        // A task of its own: a handler of gRPC-Go runs to its end even if the caller has gone.
        let handler = tokio::spawn(register(self.shared.clone(), request.into_inner()));
        match handler.await {
            Ok(Ok(())) => Ok(Response::new(pb::Empty {})),
            // A plain Go error becomes the status Unknown.
            Ok(Err(refusal)) => Err(Status::unknown(refusal.to_string())),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

async fn register(shared: Arc<Shared>, request: pb::RegisterRequest) -> Result<(), Refusal> {
    let resource = request.resource_name.clone();
    let registered = connect(&shared, &request).await;
    match &registered {
        Ok(connection) => {
            let task = follow(shared.clone(), resource, connection.clone());
            tokio::spawn(task);
        }
        Err(refusal) => {
            let reason = refusal.to_string();
            shared.update(|state| state.record(Event::RegistrationRefused { resource, reason }));
        }
    }
    registered.map(drop)
}

/// Checks the request, dials back, and makes the connection the resource's endpoint.
async fn connect(shared: &Shared, request: &pb::RegisterRequest) -> Result<Connection, Refusal> {
    let resource = &request.resource_name;
    let path = endpoint_path(&shared.dir, &request.endpoint);
    shared.update(|state| {
        *state.registrations.entry(resource.clone()).or_default() += 1;
        let name = registration::endpoint_name(&request.endpoint);
        // A bad name is one violation, not two.
        let file = if name.is_empty() {
            registration::endpoint_file(&request.endpoint, endpoint_file(&path))
        } else {
            Vec::new()
        };
        state.object(name);
        state.object(file);
    });
    if request.version != VERSION {
        return Err(Refusal::Version(request.version.clone()));
    }
    if !is_extended_resource(resource) {
        return Err(Refusal::Name(resource.clone()));
    }
    let number = shared.update(|state| {
        state.next_client += 1;
        let number = state.next_client;
        state.clients.insert(
            resource.clone(),
            Client {
                number,
                connection: None,
            },
        );
        number
    });
    let dialled = Connection::dial(&path, shared.timing.dial).await;
    shared.update(|state| match dialled {
        Ok(connection) => {
            state.object(registration::options(request.options, connection.options));
            let open = state.streams.entry(resource.clone()).or_default();
            // Judged after the dial: a stream that the plugin closed just before Register has ended by now.
            let double =
                (*open > 0).then(|| Violation::new(Rule::DoubleRegistration, format!("{resource} has a stream open")));
            *open += 1;
            state.object(double);
            if let Some(client) = state.clients.get_mut(resource).filter(|client| client.number == number) {
                client.connection = Some(connection.clone());
            }
            state.resources.entry(resource.clone()).or_default().endpoint = Some(connection.clone());
            state.record(Event::Registered {
                resource: resource.clone(),
                version: request.version.clone(),
                endpoint: request.endpoint.clone(),
                options: request.options.unwrap_or_default().into(),
            });
            state.record(Event::Options {
                resource: resource.clone(),
                options: connection.options.into(),
            });
            Ok(connection)
        }
        Err(error) => {
            // By name, whoever stands there now: so does `connectClient` in `handler.go`.
            state.clients.remove(resource);
            state.object([Violation::new(
                Rule::NotServing,
                format!("endpoint {:?}: {error}", request.endpoint),
            )]);
            Err(error.into())
        }
    })
}
