//! Kubelet's PodResources service, with whatever pods a test wants, right or wrong.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use cxi_device_plugin::kubelet::pod_resources::pb;
use cxi_device_plugin::kubelet::pod_resources::pb::pod_resources_lister_server::{
    PodResourcesLister, PodResourcesListerServer,
};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::daemon::RESOURCE;
use super::raw_kubelet::runtime;

/// What it answers when it is asked for one pod by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Get {
    /// As kubelet does from 1.34 on.
    #[default]
    Known,
    /// As before: the gate is off.
    Disabled,
    /// The second pod of the list has gone meanwhile.
    SecondIsGone,
    /// The second pod has ended, so that its devices are free.
    SecondHasEnded,
}

/// What there is to be said.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub pods: Vec<pb::PodResources>,
    pub get: Get,
    /// So many calls are refused for kubelet's limit first.
    pub refusals: usize,
}

#[derive(Clone)]
struct Lister {
    world: Arc<Mutex<World>>,
    lists: Arc<AtomicUsize>,
}

impl Lister {
    /// Kubelet's words, which are all that it has: the code is always the same.
    fn unknown(text: impl Into<String>) -> Status {
        Status::unknown(text)
    }
}

#[tonic::async_trait]
impl PodResourcesLister for Lister {
    async fn list(
        &self,
        _request: Request<pb::ListPodResourcesRequest>,
    ) -> Result<Response<pb::ListPodResourcesResponse>, Status> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let mut world = self.world.lock().unwrap();
        if world.refusals > 0 {
            world.refusals -= 1;
            return Err(Status::resource_exhausted("rejected by rate limit"));
        }
        let pod_resources = world.pods.clone();
        Ok(Response::new(pb::ListPodResourcesResponse { pod_resources }))
    }

    async fn get(
        &self,
        request: Request<pb::GetPodResourcesRequest>,
    ) -> Result<Response<pb::GetPodResourcesResponse>, Status> {
        let world = self.world.lock().unwrap();
        let pb::GetPodResourcesRequest {
            pod_name,
            pod_namespace,
        } = request.into_inner();
        let is_it = |pod: &pb::PodResources| pod.name == pod_name && pod.namespace == pod_namespace;
        let not_found = Self::unknown(format!("pod {pod_name} in namespace {pod_namespace} not found"));
        let Some(index) = world.pods.iter().position(is_it) else {
            return Err(not_found);
        };
        let mut pod = world.pods[index].clone();
        match world.get {
            Get::Disabled => return Err(Self::unknown("PodResources API Get method disabled")),
            Get::SecondIsGone if index == 1 => return Err(not_found),
            Get::SecondHasEnded if index == 1 => {
                for container in &mut pod.containers {
                    container.devices.clear();
                }
            }
            Get::Known | Get::SecondIsGone | Get::SecondHasEnded => {}
        }
        let pod_resources = Some(pod);
        Ok(Response::new(pb::GetPodResourcesResponse { pod_resources }))
    }
}

/// It serves on a thread of its own until it is dropped.
pub struct PodResourcesServer {
    lister: Lister,
    death: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl PodResourcesServer {
    pub fn start(socket: &Path, world: World) -> Self {
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let lister = Lister {
            world: Arc::new(Mutex::new(world)),
            lists: Arc::default(),
        };
        let (death, dead) = oneshot::channel::<()>();
        let service = PodResourcesListerServer::new(lister.clone());
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let server = Server::builder().add_service(service);
                tokio::select! {
                    _ = dead => {}
                    _ = server.serve_with_incoming(UnixListenerStream::new(listener)) => {}
                }
            });
        });
        Self {
            lister,
            death: Some(death),
            thread: Some(thread),
            socket: socket.to_owned(),
        }
    }

    pub fn socket(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    pub fn set(&self, world: World) {
        *self.lister.world.lock().unwrap() = world;
    }

    /// How often it was asked for its list.
    pub fn lists(&self) -> usize {
        self.lister.lists.load(Ordering::SeqCst)
    }
}

impl Drop for PodResourcesServer {
    fn drop(&mut self) {
        drop(self.death.take());
        let _ = self.thread.take().unwrap().join();
        let _ = fs::remove_file(&self.socket);
    }
}

/// A pod of namespace `hpc`, its containers with their devices of our resource.
pub fn pod(name: &str, containers: &[(&str, &[&str])]) -> pb::PodResources {
    let devices = |ids: &[&str]| pb::ContainerDevices {
        resource_name: RESOURCE.to_owned(),
        device_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let container = |(name, ids): &(&str, &[&str])| pb::ContainerResources {
        name: (*name).to_owned(),
        // One entry for each NUMA node.
        devices: ids.iter().map(|id| devices(&[id])).collect(),
        dynamic_resources: Vec::new(),
    };
    pb::PodResources {
        name: name.to_owned(),
        namespace: "hpc".to_owned(),
        containers: containers.iter().map(container).collect(),
    }
}
