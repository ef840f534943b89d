//! Allocation at the admission of a pod: choosing devices and calling the plugin (`devicesToAllocate` and
//! `allocateContainerResources` of `manager.go`).

use std::collections::BTreeSet;
use std::time::Duration;

use tonic::Status;

use super::endpoint::{Connection, go_text};
use super::pb;
use super::rules::answer;
use super::state::{Shared, State};
use super::transcript::Event;

/// Why a pod would be rejected. The texts of kubelet's own refusals are kubelet's.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// No kubelet.
    #[error("kubelet is not running")]
    NotRunning,
    /// Nobody ever registered the resource.
    #[error("cannot allocate unregistered device {0}")]
    Unregistered(String),
    /// The resource is registered, but nothing of it is healthy.
    #[error("no healthy devices present; cannot allocate unhealthy devices {0}")]
    NoneHealthy(String),
    /// Not enough healthy devices are free.
    #[error("requested number of devices unavailable for {resource}. Requested: {requested}, Available: {available}")]
    NotEnough {
        /// The resource.
        resource: String,
        /// How many the pod wants.
        requested: usize,
        /// How many are healthy and free.
        available: usize,
    },
    /// The plugin's stream has ended.
    #[error("endpoint of {0} has been stopped")]
    Stopped(String),
    /// The plugin answered with an error.
    #[error("{}", go_text(.0))]
    Plugin(Status),
    /// The plugin gave no container response.
    #[error("no containers return in allocation response of {0}")]
    NoResponse(String),
    /// The plugin did not answer. A real kubelet waits forever, and no other pod is admitted meanwhile.
    #[error("no answer from the plugin within {0:?}")]
    Guard(Duration),
    /// What a real kubelet said.
    #[error("{0}")]
    Real(String),
}

/// Devices that a pod got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grant {
    /// Their IDs in ascending order.
    pub ids: Vec<String>,
    /// The plugin's answer.
    pub response: pb::AllocateResponse,
}

/// One Allocate call with these container requests, and the record of it.
pub(super) async fn allocate(
    shared: &Shared,
    resource: &str,
    containers: Vec<Vec<String>>,
) -> Result<pb::AllocateResponse, AllocateError> {
    let answer = call_allocate(shared, resource, containers).await;
    if let Err(error) = &answer {
        refuse(shared, resource, error);
    }
    answer
}

/// Chooses `count` free healthy devices, as the plugin prefers if it has a preference, and allocates them in one container.
pub(super) async fn allocate_count(shared: &Shared, resource: &str, count: usize) -> Result<Grant, AllocateError> {
    let ids = match choose(shared, resource, count).await {
        Ok(ids) => ids,
        Err(error) => {
            refuse(shared, resource, &error);
            return Err(error);
        }
    };
    let response = allocate(shared, resource, vec![ids.clone()]).await?;
    Ok(Grant { ids, response })
}

fn refuse(shared: &Shared, resource: &str, error: &AllocateError) {
    let (resource, reason) = (resource.to_owned(), error.to_string());
    shared.update(|state| state.record(Event::AllocateRefused { resource, reason }));
}

async fn call_allocate(
    shared: &Shared,
    resource: &str,
    containers: Vec<Vec<String>>,
) -> Result<pb::AllocateResponse, AllocateError> {
    let connection = shared.read(|state| connection(state, resource))?;
    let requests = containers.len();
    let container_requests = containers.iter().cloned();
    let container_requests = container_requests
        .map(|devices_ids| pb::ContainerAllocateRequest { devices_ids })
        .collect();
    shared.update(|state| {
        state.record(Event::AllocateRequest {
            resource: resource.to_owned(),
            containers,
        });
    });
    let request = pb::AllocateRequest { container_requests };
    let call = connection.call(async |mut api| api.allocate(request).await);
    let response = guarded(shared, call).await?;
    shared.update(|state| {
        let containers = response.container_responses.iter().map(Into::into).collect();
        state.record(Event::AllocateResponse {
            resource: resource.to_owned(),
            containers,
        });
        state.object(answer::allocate(requests, &response));
    });
    if response.container_responses.is_empty() {
        return Err(AllocateError::NoResponse(resource.to_owned()));
    }
    Ok(response)
}

/// Picks devices in the order of their IDs, so that every run picks the same; kubelet's own choice is random.
async fn choose(shared: &Shared, resource: &str, count: usize) -> Result<Vec<String>, AllocateError> {
    let available = shared.read(|state| available(state, resource, count))?;
    let connection = shared.read(|state| connection(state, resource))?;
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    if connection.options.get_preferred_allocation_available {
        let preferred = preferred(shared, resource, &connection, &available, count).await?;
        chosen.extend(preferred.into_iter().filter(|id| available.contains(id)).take(count));
    }
    for id in available {
        if chosen.len() >= count {
            break;
        }
        chosen.insert(id);
    }
    Ok(chosen.into_iter().collect())
}

/// The healthy devices nobody holds, if there are enough; kubelet's checks in kubelet's order.
fn available(state: &State, resource: &str, requested: usize) -> Result<BTreeSet<String>, AllocateError> {
    let known = match state.resources.get(resource) {
        _ if !state.running => return Err(AllocateError::NotRunning),
        Some(known) => known,
        None => return Err(AllocateError::Unregistered(resource.to_owned())),
    };
    if known.devices.healthy().next().is_none() {
        return Err(AllocateError::NoneHealthy(resource.to_owned()));
    }
    let in_use = state.pods.in_use(resource);
    let free: BTreeSet<String> = known
        .devices
        .healthy()
        .filter(|id| !in_use.contains(id))
        .map(str::to_owned)
        .collect();
    if free.len() < requested {
        let resource = resource.to_owned();
        return Err(AllocateError::NotEnough {
            resource,
            requested,
            available: free.len(),
        });
    }
    Ok(free)
}

/// The endpoint of a resource, if it still runs (`endpoint.go`).
fn connection(state: &State, resource: &str) -> Result<Connection, AllocateError> {
    if !state.running {
        return Err(AllocateError::NotRunning);
    }
    let known = state
        .resources
        .get(resource)
        .ok_or_else(|| AllocateError::Unregistered(resource.to_owned()))?;
    known
        .endpoint
        .clone()
        .ok_or_else(|| AllocateError::Stopped(resource.to_owned()))
}

/// Asks the plugin which devices it would give.
async fn preferred(
    shared: &Shared,
    resource: &str,
    connection: &Connection,
    available: &BTreeSet<String>,
    size: usize,
) -> Result<Vec<String>, AllocateError> {
    let ids: Vec<String> = available.iter().cloned().collect();
    let request = Event::PreferredRequest {
        resource: resource.to_owned(),
        available: ids.clone(),
        size,
    };
    shared.update(|state| state.record(request));
    let container = pb::ContainerPreferredAllocationRequest {
        available_device_i_ds: ids,
        must_include_device_i_ds: Vec::new(),
        // A node has no two thousand million devices.
        allocation_size: i32::try_from(size).unwrap_or(i32::MAX),
    };
    let request = pb::PreferredAllocationRequest {
        container_requests: vec![container],
    };
    let call = connection.call(async |mut api| api.get_preferred_allocation(request).await);
    let response = guarded(shared, call).await?;
    let violations = answer::preferred(available, size, &response);
    let devices = response
        .container_responses
        .into_iter()
        .next()
        .unwrap_or_default()
        .device_i_ds;
    shared.update(|state| {
        state.record(Event::PreferredResponse {
            resource: resource.to_owned(),
            devices: devices.clone(),
        });
        state.object(violations);
    });
    Ok(devices)
}

/// Kubelet has no timeout here; the guard only keeps a test from hanging.
async fn guarded<T>(shared: &Shared, call: impl Future<Output = Result<T, Status>>) -> Result<T, AllocateError> {
    let limit = shared.timing.allocate;
    let answer = tokio::time::timeout(limit, call)
        .await
        .map_err(|_| AllocateError::Guard(limit))?;
    answer.map_err(AllocateError::Plugin)
}
