//! The plugin's side of the API. Every answer comes from the published snapshot in memory: no file is read, and nothing
//! can make kubelet wait.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::connection::Peer;
use super::list_stream::{self, DeviceList};
use super::pb;
use super::pb::device_plugin_server::DevicePlugin;
use super::streams::StreamBook;
use crate::metrics::ResourceMeter;
use crate::model::alloc::allocate::{Allocation, allocate, bounded};
use crate::model::alloc::brief::Asked;
use crate::model::alloc::preference::preferred;
use crate::model::alloc::resource::ResourceName;
use crate::model::alloc::snapshot::{ListedDevice, Snapshot};
use crate::model::message_id;

/// What kubelet is told of our abilities, in Register and in GetDevicePluginOptions alike.
pub const OPTIONS: pb::DevicePluginOptions = pb::DevicePluginOptions {
    pre_start_required: false,
    get_preferred_allocation_available: true,
};

/// Bytes of the longest request: [`bounded`] many IDs of their longest, twice, as a preference names those that are free and
/// those that must be.
pub const REQUEST_LIMIT: usize = 576 * 1024;

/// The service for one resource.
#[derive(Debug, Clone)]
pub struct PluginService {
    /// The resource.
    pub resource: ResourceName,
    /// What is published.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where the streams are noted.
    pub streams: Arc<StreamBook>,
    /// Turns true when the streams shall end.
    pub closing: watch::Receiver<bool>,
    /// Counts.
    pub meter: ResourceMeter,
}

#[tonic::async_trait]
impl DevicePlugin for PluginService {
    type ListAndWatchStream = ReceiverStream<DeviceList>;

    async fn get_device_plugin_options(
        &self,
        _request: Request<pb::Empty>,
    ) -> Result<Response<pb::DevicePluginOptions>, Status> {
        Ok(Response::new(OPTIONS))
    }

    async fn list_and_watch(&self, request: Request<pb::Empty>) -> Result<Response<Self::ListAndWatchStream>, Status> {
        let peer = request.extensions().get::<Arc<Peer>>().cloned();
        let Some(open) = self.streams.open(peer.as_ref().and_then(|peer| peer.pid)) else {
            return Err(Status::resource_exhausted("too many streams are open"));
        };
        let (messages, stream) = mpsc::channel(1);
        let (snapshots, closing) = (self.snapshots.clone(), self.closing.clone());
        tokio::spawn(list_stream::pass_on(snapshots, messages, closing, open, peer));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_preferred_allocation(
        &self,
        request: Request<pb::PreferredAllocationRequest>,
    ) -> Result<Response<pb::PreferredAllocationResponse>, Status> {
        let requests = &request.get_ref().container_requests;
        let named = |container: &pb::ContainerPreferredAllocationRequest| container.available_device_i_ds.len();
        bounded(requests.iter().map(named).sum(), requests.len())
            .map_err(|refusal| Status::invalid_argument(refusal.to_string()))?;
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let answer = |container: &pb::ContainerPreferredAllocationRequest| {
            let size = usize::try_from(container.allocation_size).unwrap_or(0);
            let available = &container.available_device_i_ds;
            let device_i_ds = preferred(&snapshot, available, &container.must_include_device_i_ds, size);
            pb::ContainerPreferredAllocationResponse { device_i_ds }
        };
        let container_responses = requests.iter().map(answer).collect();
        Ok(Response::new(pb::PreferredAllocationResponse { container_responses }))
    }

    async fn allocate(&self, request: Request<pb::AllocateRequest>) -> Result<Response<pb::AllocateResponse>, Status> {
        let began = Instant::now();
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let requests = &request.get_ref().container_requests;
        let answer = |container: &pb::ContainerAllocateRequest| {
            allocate(&snapshot, &self.resource, &container.devices_ids).map(pb::ContainerAllocateResponse::from)
        };
        let asked: Vec<&[String]> = requests.iter().map(|container| &*container.devices_ids).collect();
        let answers = bounded(asked.iter().map(|ids| ids.len()).sum(), asked.len())
            .and_then(|()| requests.iter().map(answer).collect::<Result<Vec<_>, _>>());
        let asked = Asked(&asked);
        self.meter.allocated(began.elapsed(), answers.is_ok());
        match answers {
            Ok(container_responses) => {
                tracing::info!(
                    message_id = message_id::ALLOCATED,
                    resource = %self.resource,
                    %asked,
                    generation = snapshot.generation,
                    "allocated"
                );
                Ok(Response::new(pb::AllocateResponse { container_responses }))
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                tracing::warn!(
                    message_id = message_id::REFUSED,
                    resource = %self.resource,
                    %asked,
                    reason,
                    "refused: {reason}"
                );
                Err(Status::invalid_argument(refusal.to_string()))
            }
        }
    }

    async fn pre_start_container(
        &self,
        _request: Request<pb::PreStartContainerRequest>,
    ) -> Result<Response<pb::PreStartContainerResponse>, Status> {
        Ok(Response::new(pb::PreStartContainerResponse {}))
    }
}

impl From<&[ListedDevice]> for pb::ListAndWatchResponse {
    fn from(list: &[ListedDevice]) -> Self {
        Self {
            devices: list.iter().map(pb::Device::from).collect(),
        }
    }
}

impl From<&ListedDevice> for pb::Device {
    fn from(device: &ListedDevice) -> Self {
        let topology = device.numa_node.map(|node| pb::TopologyInfo {
            nodes: vec![pb::NumaNode { id: node.into() }],
        });
        let health = if device.healthy { "Healthy" } else { "Unhealthy" };
        Self {
            id: device.id.clone(),
            health: health.to_owned(),
            topology,
        }
    }
}

impl From<Allocation> for pb::ContainerAllocateResponse {
    fn from(allocation: Allocation) -> Self {
        let Allocation { cdi_devices, edits } = allocation;
        let variable = |entry: &String| {
            entry
                .split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        Self {
            envs: edits.env.iter().filter_map(variable).collect(),
            mounts: edits.mounts.into_iter().map(pb::Mount::from).collect(),
            devices: edits.device_nodes.into_iter().map(pb::DeviceSpec::from).collect(),
            annotations: Default::default(),
            cdi_devices: cdi_devices.into_iter().map(|name| pb::CdiDevice { name }).collect(),
        }
    }
}

impl From<crate::model::cdi::model::Mount> for pb::Mount {
    fn from(mount: crate::model::cdi::model::Mount) -> Self {
        Self {
            container_path: mount.container_path,
            host_path: mount.host_path,
            read_only: true,
        }
    }
}

impl From<crate::model::cdi::model::CdiDeviceNode> for pb::DeviceSpec {
    fn from(node: crate::model::cdi::model::CdiDeviceNode) -> Self {
        Self {
            container_path: node.path,
            host_path: node.host_path,
            permissions: "rw".to_owned(),
        }
    }
}
