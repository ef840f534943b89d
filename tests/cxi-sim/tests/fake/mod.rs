//! A tiny device plugin with exactly the manners that a test gives it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cxi_sim::kubelet::pb;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt, wrappers::WatchStream};
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

pub const RESOURCE: &str = "beta.hpe.com/cxi";

pub fn device(id: &str) -> pb::Device {
    pb::Device {
        id: id.to_owned(),
        health: "Healthy".to_owned(),
        topology: None,
    }
}

pub fn on_node(id: &str, node: i64) -> pb::Device {
    let topology = Some(pb::TopologyInfo {
        nodes: vec![pb::NumaNode { id: node }],
    });
    pb::Device { topology, ..device(id) }
}

type Answer<Q, A> = Arc<dyn Fn(Q) -> Result<A, Status> + Send + Sync>;

/// How the plugin behaves.
#[derive(Clone)]
pub struct Manners {
    pub options: pb::DevicePluginOptions,
    /// What is sent; `None` sends nothing yet. Each change is one message.
    pub list: watch::Sender<Option<Vec<pb::Device>>>,
    pub allocate: Answer<pb::AllocateRequest, pb::AllocateResponse>,
    pub prefer: Answer<pb::PreferredAllocationRequest, pb::PreferredAllocationResponse>,
}

impl Manners {
    /// Lists these devices and gives a CDI name for each one asked for.
    pub fn good(devices: Vec<pb::Device>) -> Manners {
        Manners {
            options: pb::DevicePluginOptions::default(),
            list: watch::Sender::new(Some(devices)),
            allocate: Arc::new(|request| Ok(cdi(request))),
            prefer: Arc::new(|_| Ok(pb::PreferredAllocationResponse::default())),
        }
    }
}

/// One CDI name for each device.
pub fn cdi(request: pb::AllocateRequest) -> pb::AllocateResponse {
    let container = |request: pb::ContainerAllocateRequest| pb::ContainerAllocateResponse {
        cdi_devices: request
            .devices_ids
            .iter()
            .map(|id| pb::CdiDevice {
                name: format!("{RESOURCE}={id}"),
            })
            .collect(),
        ..Default::default()
    };
    pb::AllocateResponse {
        container_responses: request.container_requests.into_iter().map(container).collect(),
    }
}

struct Service(Manners, Arc<Notify>);

#[tonic::async_trait]
impl pb::device_plugin_server::DevicePlugin for Service {
    async fn get_device_plugin_options(
        &self,
        _: Request<pb::Empty>,
    ) -> Result<Response<pb::DevicePluginOptions>, Status> {
        Ok(Response::new(self.0.options))
    }

    type ListAndWatchStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<pb::ListAndWatchResponse, Status>> + Send + 'static>>;

    async fn list_and_watch(&self, _: Request<pb::Empty>) -> Result<Response<Self::ListAndWatchStream>, Status> {
        let lists = WatchStream::new(self.0.list.subscribe()).filter_map(|list| list);
        self.1.notify_one();
        Ok(Response::new(Box::pin(
            lists.map(|devices| Ok(pb::ListAndWatchResponse { devices })),
        )))
    }

    async fn get_preferred_allocation(
        &self,
        request: Request<pb::PreferredAllocationRequest>,
    ) -> Result<Response<pb::PreferredAllocationResponse>, Status> {
        (self.0.prefer)(request.into_inner()).map(Response::new)
    }

    async fn allocate(&self, request: Request<pb::AllocateRequest>) -> Result<Response<pb::AllocateResponse>, Status> {
        (self.0.allocate)(request.into_inner()).map(Response::new)
    }

    async fn pre_start_container(
        &self,
        _: Request<pb::PreStartContainerRequest>,
    ) -> Result<Response<pb::PreStartContainerResponse>, Status> {
        Ok(Response::new(pb::PreStartContainerResponse {}))
    }
}

/// A plugin that serves. Its socket goes with it.
pub struct Plugin {
    dir: PathBuf,
    endpoint: String,
    pub manners: Manners,
    /// Told when kubelet opens the stream.
    pub opened: Arc<Notify>,
    death: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Plugin {
    /// Serves on a socket with this name, in a thread and a runtime of its own, as a process would.
    pub fn serve(dir: &Path, endpoint: &str, manners: Manners) -> Plugin {
        let listener = std::os::unix::net::UnixListener::bind(dir.join(endpoint)).unwrap();
        std::fs::set_permissions(dir.join(endpoint), Permissions::from_mode(0o600)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let opened = Arc::new(Notify::new());
        let service = pb::device_plugin_server::DevicePluginServer::new(Service(manners.clone(), opened.clone()));
        let (death, dead) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let incoming = UnixListenerStream::new(UnixListener::from_std(listener).unwrap());
                tokio::select! {
                    served = Server::builder().add_service(service).serve_with_incoming(incoming) => served.unwrap(),
                    _ = dead => {}
                }
            });
        });
        let (dir, endpoint) = (dir.to_owned(), endpoint.to_owned());
        Plugin {
            dir,
            endpoint,
            manners,
            opened,
            death: Some(death),
            thread: Some(thread),
        }
    }

    /// The request a well-behaved plugin makes.
    pub fn request(&self) -> pb::RegisterRequest {
        request(&self.endpoint, self.manners.options)
    }

    /// Registers as a well-behaved plugin does.
    pub async fn register(&self) -> Result<(), Status> {
        register(&self.dir, self.request()).await
    }

    /// Sends a message.
    pub fn list(&self, devices: Vec<pb::Device>) {
        self.manners.list.send_replace(Some(devices));
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        drop(self.death.take());
        self.thread.take().unwrap().join().unwrap();
        let _ = std::fs::remove_file(self.dir.join(&self.endpoint));
    }
}

pub fn request(endpoint: &str, options: pb::DevicePluginOptions) -> pb::RegisterRequest {
    let (version, resource_name) = ("v1beta1".to_owned(), RESOURCE.to_owned());
    pb::RegisterRequest {
        version,
        endpoint: endpoint.to_owned(),
        resource_name,
        options: Some(options),
    }
}

/// One Register call.
pub async fn register(dir: &Path, request: pb::RegisterRequest) -> Result<(), Status> {
    let address = format!("unix:{}", dir.join("kubelet.sock").display());
    let channel = Endpoint::from_shared(address).unwrap().connect().await;
    let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
    pb::registration_client::RegistrationClient::new(channel)
        .register(request)
        .await
        .map(drop)
}

/// Follows kubelet through its lives until it is aborted: a new socket and one registration for each life or lost stream.
pub async fn daemon(dir: PathBuf, devices: Vec<pb::Device>) {
    for number in 1.. {
        // A plugin without a watch on the directory has no better way than to try again.
        while !kubelet_listens(&dir).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let manners = Manners::good(devices.clone());
        let list = manners.list.clone();
        let plugin = Plugin::serve(&dir, &format!("cxi-0a1b2c3d-17-{number}.sock"), manners);
        let opened = plugin.opened.clone();
        if plugin.register().await.is_ok() {
            opened.notified().await;
            list.closed().await;
        }
        tokio::task::spawn_blocking(|| drop(plugin)).await.unwrap();
    }
}

/// Whether somebody listens on kubelet's socket.
pub async fn kubelet_listens(dir: &Path) -> bool {
    UnixStream::connect(dir.join("kubelet.sock")).await.is_ok()
}
