//! What is said over one connection: we register, the runtime configures us, tells all pods and containers that there are, and
//! then each event. It tells one event at a time, and all pods of the node wait meanwhile.

use std::future::Future;
use std::time::Duration;

use prost::Message as _;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Lost};
use super::frames::{Kind, Message, PLUGIN, RUNTIME};
use super::pb::{self, ttrpc};

/// By which the runtime and `required-plugins.noderesource.dev` know us.
pub const NAME: &str = "cxi-isolation";
/// Our place among the plugins: after those that add devices.
const INDEX: &str = "90";
/// The service that we serve, and the one that the runtime serves.
const OF_PLUGIN: &str = "nri.pkg.api.v1alpha1.Plugin";
const OF_RUNTIME: &str = "nri.pkg.api.v1alpha1.Runtime";
/// The call by which we register.
const REGISTRATION: u32 = 1;
/// How long the runtime may take to register us and to tell what there is.
const BEGINNING: Duration = Duration::from_secs(20);
/// Pods and containers of one node, all parts together: more is no node's.
const MOST_SYNCHRONIZED: usize = 100_000;

/// Events that older runtimes tell by one method for all.
const RUN_POD_SANDBOX: i32 = 1;
const STOP_POD_SANDBOX: i32 = 2;
const REMOVE_POD_SANDBOX: i32 = 3;
const CREATE_CONTAINER: i32 = 4;

/// gRPC's codes: of an error of ours, and of a method that we do not serve.
const UNKNOWN: i32 = 2;
const UNIMPLEMENTED: i32 = 12;

/// Who is asked.
pub trait Plugin {
    /// Who asks.
    fn configured(&mut self, runtime: &str);
    /// All pods and containers that there are. From here on events come.
    fn synchronize(&mut self, pods: Vec<pb::PodSandbox>, containers: Vec<pb::Container>) -> impl Future<Output = ()>;
    /// A pod begins.
    fn run_pod(&mut self, pod: pb::PodSandbox) -> impl Future<Output = ()>;
    /// A pod ends; its network namespace is still there, unless it `is_removed`.
    fn stop_pod(&mut self, pod: pb::PodSandbox, is_removed: bool) -> impl Future<Output = ()>;
    /// A container is to be made. An error fails it.
    fn create_container(
        &mut self,
        pod: pb::PodSandbox,
        container: pb::Container,
    ) -> impl Future<Output = Result<pb::ContainerAdjustment, String>>;
    /// Waits until there is something to do without being asked, and does it.
    fn at_leisure(&mut self) -> impl Future<Output = ()>;
}

/// Serves a runtime until it is lost.
pub async fn serve(connection: Connection, plugin: &mut impl Plugin) -> Lost {
    let mut session = Session {
        connection,
        plugin,
        pods: Vec::new(),
        containers: Vec::new(),
        is_synchronized: false,
    };
    let Err(lost) = session.run().await;
    lost
}

struct Session<'plugin, P> {
    connection: Connection,
    plugin: &'plugin mut P,
    /// What came of `Synchronize` so far.
    pods: Vec<pb::PodSandbox>,
    containers: Vec<pb::Container>,
    is_synchronized: bool,
}

/// It runs until it is lost.
type Never = std::convert::Infallible;
/// An answer, or an error for the caller.
type Answer = Result<Vec<u8>, ttrpc::Status>;

impl<P: Plugin> Session<'_, P> {
    async fn run(&mut self) -> Result<Never, Lost> {
        let register = pb::RegisterPluginRequest {
            plugin_name: NAME.to_owned(),
            plugin_idx: INDEX.to_owned(),
            nri_version: String::new(),
        };
        let request = ttrpc::Request {
            service: OF_RUNTIME.to_owned(),
            method: "RegisterPlugin".to_owned(),
            payload: register.encode_to_vec(),
            timeout_nano: 0,
        };
        self.connection.call(RUNTIME, REGISTRATION, &request).await?;
        let until = Instant::now() + BEGINNING;
        loop {
            let message = tokio::select! {
                message = self.connection.receive() => message?,
                () = self.plugin.at_leisure(), if self.is_synchronized => continue,
                () = sleep_until(until), if !self.is_synchronized => {
                    return Err(Lost::Silent("tell us what pods there are"));
                }
            };
            match (message.connection, message.kind) {
                (PLUGIN, Kind::Request) => self.called(&message).await?,
                (RUNTIME, Kind::Response) if message.stream == REGISTRATION => registered(&message)?,
                // Nothing that we have asked for.
                _ => tracing::debug!("a message of the runtime that nobody waits for: {:?}", message.kind),
            }
        }
    }

    async fn called(&mut self, message: &Message) -> Result<(), Lost> {
        let request = decoded::<ttrpc::Request>(&message.data)?;
        let answer = if request.service == OF_PLUGIN {
            self.method(&request.method, &request.payload).await?
        } else {
            Err(no_such_method(&request.service))
        };
        let response = match answer {
            Ok(payload) => ttrpc::Response { status: None, payload },
            Err(status) => ttrpc::Response {
                status: Some(status),
                payload: Vec::new(),
            },
        };
        self.connection.answer(message, &response).await
    }

    async fn method(&mut self, method: &str, payload: &[u8]) -> Result<Answer, Lost> {
        tracing::debug!("the runtime calls {}", method.chars().take(40).collect::<String>());
        Ok(match method {
            "Configure" => Ok(self.configure(&decoded(payload)?)),
            "Synchronize" => self.synchronize(decoded(payload)?).await?,
            "CreateContainer" => self.create_container(decoded(payload)?).await,
            "RunPodSandbox" => self.pod_event(RUN_POD_SANDBOX, of_pod(payload)?).await,
            "StopPodSandbox" => self.pod_event(STOP_POD_SANDBOX, of_pod(payload)?).await,
            "RemovePodSandbox" => self.pod_event(REMOVE_POD_SANDBOX, of_pod(payload)?).await,
            "StateChange" => {
                let event = decoded::<pb::StateChangeEvent>(payload)?;
                self.pod_event(event.event, event.pod).await
            }
            "Shutdown" => return Err(Lost::Closed),
            other => Err(no_such_method(other)),
        })
    }

    fn configure(&mut self, request: &pb::ConfigureRequest) -> Vec<u8> {
        let runtime = format!("{} {}", request.runtime_name, request.runtime_version);
        self.plugin.configured(runtime.trim());
        let events = [RUN_POD_SANDBOX, STOP_POD_SANDBOX, REMOVE_POD_SANDBOX, CREATE_CONTAINER];
        let events = events.into_iter().fold(0, |mask, event| mask | 1 << (event - 1));
        pb::ConfigureResponse { events }.encode_to_vec()
    }

    /// A runtime with many pods tells them in parts.
    async fn synchronize(&mut self, request: pb::SynchronizeRequest) -> Result<Answer, Lost> {
        self.pods.extend(request.pods);
        self.containers.extend(request.containers);
        if self.pods.len().max(self.containers.len()) > MOST_SYNCHRONIZED {
            return Err(Lost::Senseless("it tells of more pods than a node has".to_owned()));
        }
        if !request.more {
            let (pods, containers) = (std::mem::take(&mut self.pods), std::mem::take(&mut self.containers));
            self.plugin.synchronize(pods, containers).await;
            self.is_synchronized = true;
        }
        Ok(Ok(pb::SynchronizeResponse { more: request.more }.encode_to_vec()))
    }

    async fn create_container(&mut self, request: pb::CreateContainerRequest) -> Answer {
        let (Some(pod), Some(container)) = (request.pod, request.container) else {
            return Err(failed("a container without its pod".to_owned()));
        };
        let adjustment = self.plugin.create_container(pod, container).await.map_err(failed)?;
        let adjust = Some(adjustment);
        Ok(pb::CreateContainerResponse { adjust }.encode_to_vec())
    }

    async fn pod_event(&mut self, event: i32, pod: Option<pb::PodSandbox>) -> Answer {
        match (event, pod) {
            (RUN_POD_SANDBOX, Some(pod)) => self.plugin.run_pod(pod).await,
            (STOP_POD_SANDBOX, Some(pod)) => self.plugin.stop_pod(pod, false).await,
            (REMOVE_POD_SANDBOX, Some(pod)) => self.plugin.stop_pod(pod, true).await,
            _ => {}
        }
        // All answers to events have no fields.
        Ok(Vec::new())
    }
}

fn registered(message: &Message) -> Result<(), Lost> {
    match decoded::<ttrpc::Response>(&message.data)?.status {
        Some(status) if status.code != 0 => Err(Lost::Refused(status.message)),
        _ => Ok(()),
    }
}

fn of_pod(payload: &[u8]) -> Result<Option<pb::PodSandbox>, Lost> {
    Ok(decoded::<pb::PodSandboxRequest>(payload)?.pod)
}

fn decoded<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, Lost> {
    M::decode(bytes).map_err(|error| Lost::Senseless(format!("what the runtime says cannot be read: {error}")))
}

fn no_such_method(name: &str) -> ttrpc::Status {
    ttrpc::Status {
        code: UNIMPLEMENTED,
        message: format!("{NAME} has no {name}"),
    }
}

fn failed(message: String) -> ttrpc::Status {
    ttrpc::Status { code: UNKNOWN, message }
}
