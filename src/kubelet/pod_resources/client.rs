//! Asks kubelet. The answer is bounded in size and time, and the socket is called without waiting: somebody else may stand
//! there.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::pb;
use super::pb::pod_resources_lister_client::PodResourcesListerClient;
use crate::host::files::unix_socket::{Call, call};
use crate::host::worker::{NotDone, Worker};
use crate::kubelet::channel::channel;
use crate::model::alloc::resource::ResourceName;
use crate::model::pods::{Holdings, ListedContainer, ListedPod, PodName, Unlisted, Word};

/// For all of it together: a kubelet that works answers in milliseconds.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// As kubelet's own clients have it.
const ANSWER_LIMIT: usize = 16 << 20;
/// Pods that are asked for by name; kubelet takes ten calls at once, then one in 10 ms.
const NAMED: usize = 8;
/// How soon kubelet is asked again after it has refused for its own limit.
const PAUSE: Duration = Duration::from_millis(50);

type Client = PodResourcesListerClient<Channel>;

/// Kubelet's PodResources service.
#[derive(Debug, Clone)]
pub struct PodResources {
    socket: PathBuf,
    worker: Worker,
}

impl PodResources {
    /// At this socket, which is not looked at yet.
    pub fn new(socket: PathBuf) -> Self {
        let worker = Worker::new("pod-resources");
        Self { socket, worker }
    }

    /// Who holds the NICs of this resource. Where pods contradict each other, kubelet is asked for each of them by name.
    ///
    /// # Errors
    /// Why that is not known; at the latest after [`DEADLINE`].
    pub async fn holdings(&self, resource: &ResourceName) -> Result<Holdings, Unlisted> {
        let asking = async {
            let mut client = self.client().await?;
            let mut holdings = Holdings::new(&list(&mut client).await?, resource);
            for pod in holdings.contestants().into_iter().take(NAMED) {
                let word = word(&mut client, &pod, resource).await;
                holdings.settle(&pod, &word);
            }
            Ok(holdings)
        };
        timeout(DEADLINE, asking).await.unwrap_or(Err(Unlisted::NoAnswer))
    }

    async fn client(&self) -> Result<Client, Unlisted> {
        let stream = UnixStream::from_std(self.connect().await?).map_err(|error| failed(&error))?;
        let channel = channel(stream).await.map_err(|_| Unlisted::Senseless)?;
        Ok(PodResourcesListerClient::new(channel).max_decoding_message_size(ANSWER_LIMIT))
    }

    /// By the thread: the file system that the socket is on may hang.
    async fn connect(&self) -> Result<std::os::unix::net::UnixStream, Unlisted> {
        let socket = self.socket.clone();
        match self.worker.run_within(DEADLINE, move || call(&socket)).await {
            Ok(Ok(Call::Taken(stream))) => Ok(stream),
            Ok(Ok(Call::QueueFull)) => Err(Unlisted::TooMany),
            Ok(Ok(Call::Refused)) => Err(Unlisted::NobodyListens),
            Ok(Err(error)) => Err(failed(&error)),
            Err(NotDone::Hangs(_) | NotDone::Busy) => Err(Unlisted::NoAnswer),
            Err(not_done @ (NotDone::NoThread(_) | NotDone::Ended)) => Err(Unlisted::Failed(not_done.to_string())),
        }
    }
}

async fn list(client: &mut Client) -> Result<Vec<ListedPod>, Unlisted> {
    loop {
        match client.list(pb::ListPodResourcesRequest {}).await {
            Ok(answer) => return Ok(answer.into_inner().pod_resources.into_iter().map(Into::into).collect()),
            // Its limit of calls; the deadline ends this.
            Err(status) if status.code() == Code::ResourceExhausted => sleep(PAUSE).await,
            Err(status) => return Err(unlisted(&status)),
        }
    }
}

async fn word(client: &mut Client, pod: &PodName, resource: &ResourceName) -> Word {
    let request = pb::GetPodResourcesRequest {
        pod_name: pod.pod.clone(),
        pod_namespace: pod.namespace.clone(),
    };
    match client.get(request).await {
        Ok(answer) => {
            let pods: Vec<ListedPod> = answer.into_inner().pod_resources.into_iter().map(Into::into).collect();
            let named: Vec<ListedPod> = pods.into_iter().filter(|listed| listed.name == *pod).collect();
            Word::Holds(Holdings::new(&named, resource).iter().map(|(nic, _)| nic).collect())
        }
        // Kubelet has no code for it, only words.
        Err(status) if status.code() == Code::NotFound || status.message().ends_with(" not found") => Word::Gone,
        Err(_) => Word::Unsaid,
    }
}

fn failed(error: &io::Error) -> Unlisted {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unlisted::NoSocket,
        io::ErrorKind::PermissionDenied => Unlisted::NotAllowed,
        _ => Unlisted::Failed(error.to_string()),
    }
}

/// A status that kubelet sent has no source; one that our transport made of a failure has.
fn unlisted(status: &Status) -> Unlisted {
    match status.code() {
        Code::Unimplemented => Unlisted::NoService,
        Code::OutOfRange => Unlisted::TooLarge,
        _ if status.source().is_some() => Unlisted::Senseless,
        Code::Internal => Unlisted::Senseless,
        _ => Unlisted::Failed(format!("kubelet refuses: {:?}", status.code())),
    }
}

impl From<pb::PodResources> for ListedPod {
    fn from(pod: pb::PodResources) -> Self {
        Self {
            name: PodName {
                namespace: pod.namespace,
                pod: pod.name,
            },
            containers: pod.containers.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<pb::ContainerResources> for ListedContainer {
    fn from(container: pb::ContainerResources) -> Self {
        let devices = container.devices.into_iter();
        let claims = container.dynamic_resources.into_iter().map(|claim| {
            let given = claim.claim_resources.into_iter().flat_map(|given| given.cdi_devices);
            let name = format!("{}/{}", claim.claim_namespace, claim.claim_name);
            (name, given.map(|device| device.name).collect())
        });
        Self {
            name: container.name,
            devices: devices
                .map(|device| (device.resource_name, device.device_ids))
                .collect(),
            claims: claims.collect(),
        }
    }
}
