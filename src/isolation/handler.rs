//! What is done for each pod and container of which the runtime tells.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::adjustment;
use super::audit::Audit;
use super::crew::Crew;
use super::keeper::Want;
use super::nri::pb;
use super::nri::session::Plugin;
use super::reporter::Reporter;
use crate::host::device::namespaces::{self, OpenNetns};
use crate::host::files::roots::Roots;
use crate::host::nics::now::{self, NicsNow};
use crate::host::notify_socket;
use crate::host::worker::Worker;
use crate::kubelet::pod_resources::PodResources;
use crate::model::alloc::resource::ResourceName;
use crate::model::config::settings::{HostNetwork, IsolationSettings};
use crate::model::isolation::container::{Claim, Container, NicNow};
use crate::model::isolation::pod::{Pod, Sandbox};

/// For all of a handler's work. The runtime waits 2 s, then goes on without us, for ever: an error in time fails one container
/// only.
const DEADLINE: Duration = Duration::from_millis(1500);
/// Of that, for kubelet.
const KUBELET: Duration = Duration::from_millis(1000);
/// How often it is looked whether pods with services are still there, though nobody has told of their end.
const LOOK: Duration = Duration::from_secs(30);
/// What is tried again is not tried more often.
const PACE: Duration = Duration::from_millis(100);

/// What the site has decided, and where things are.
#[derive(Debug)]
pub struct Site {
    /// Where the host keeps things.
    pub roots: Roots,
    /// `[isolation]`.
    pub isolation: IsolationSettings,
    /// How long a service may take to end before that is news.
    pub lingers_after: Duration,
    /// The resource of the NICs.
    pub resource: ResourceName,
    /// Kubelet's socket that tells which pod holds what.
    pub pod_resources: PathBuf,
}

/// Does it.
#[derive(Debug)]
pub struct Handler {
    site: Site,
    crew: Crew,
    reporter: Reporter,
    pod_resources: PodResources,
    audit: Audit,
    /// Looks at the node: what hangs there must not hold us.
    looker: Worker,
    /// Our own network namespace, which is the node's.
    own_netns: Option<u32>,
    /// Network namespaces of pods that are gone, whose services are in use: as long as one is held, its number is not used again.
    held: BTreeMap<u32, OpenNetns>,
}

/// What a look at the node brings.
struct Looked {
    now: NicsNow,
    netns: Option<Result<OpenNetns, String>>,
    /// Sandboxes whose network namespaces are not there any more.
    gone: Vec<String>,
}

impl Handler {
    /// With the services of an earlier run, and the namespaces that it has left in systemd's care.
    pub fn new(site: Site, crew: Crew, reporter: Reporter, kept: Vec<(String, File)>) -> Self {
        let kept = kept.into_iter().filter_map(|(_, file)| namespaces::opened(file).ok());
        let pod_resources = PodResources::new(site.pod_resources.clone());
        Self {
            audit: Audit::new(pod_resources.clone(), site.resource.clone()),
            pod_resources,
            site,
            crew,
            reporter,
            looker: Worker::new("look"),
            own_netns: namespaces::of("/proc/self/ns/net".as_ref()),
            held: kept.map(|netns| (netns.inode, netns)).collect(),
        }
    }

    /// The connection is lost.
    pub fn lost(&mut self, reason: &str) {
        self.reporter.lost(reason);
        self.report();
    }

    /// Whether the runtime has told all that there is.
    pub fn is_connected(&self) -> bool {
        self.reporter.is_connected()
    }

    /// Nobody is served any more.
    pub async fn end(self) {
        self.reporter.end().await;
    }

    fn report(&mut self) {
        self.reporter.report(self.crew.shown());
    }

    /// The NICs as they are, and a pod's network namespace.
    async fn look(&self, netns: Option<&str>, until: Instant) -> Result<Looked, String> {
        let roots = self.site.roots.apart();
        let netns = netns.map(PathBuf::from);
        let living = self.crew.living();
        let look = move || {
            let now = now::nics(&roots).map_err(|error| format!("the NICs are not known: {error}"))?;
            let netns = netns.map(|path| {
                namespaces::open(&path).map_err(|error| format!("network namespace {}: {error}", path.display()))
            });
            let gone = living
                .into_iter()
                .filter(|(_, inode, path)| namespaces::is_gone(path, *inode));
            let gone = gone.map(|(sandbox, ..)| sandbox).collect();
            Ok(Looked { now, netns, gone })
        };
        let patience = until.saturating_duration_since(Instant::now());
        match self.looker.run_within(patience, look).await {
            Ok(looked) => looked,
            Err(not_done) => Err(format!("the node cannot be looked at: {not_done}")),
        }
    }

    /// Runtimes do not tell of each end: containerd says nothing of pods from before its own start.
    async fn release_gone(&mut self, looked: &Looked, until: Instant) {
        for sandbox in &looked.gone {
            self.crew.release(&looked.now, sandbox, until).await;
        }
    }

    /// What a container is to get; none for one that is none of our business.
    async fn prepare(
        &mut self,
        pod: &Pod,
        container: &Container,
        until: Instant,
    ) -> Result<Option<Vec<NicNow>>, String> {
        // Most containers of a node are not looked at for longer than this.
        if container.devices.is_empty() {
            return Ok(None);
        }
        let looked = self.look(pod.netns.as_deref(), until).await?;
        self.release_gone(&looked, until).await;
        let Looked { now, netns, .. } = looked;
        let nics = now.nics;
        let mut its = match container.claim(&nics) {
            Claim::Nothing => return Ok(None),
            Claim::Nics(its) => its,
            Claim::Privileged => self.given_to(&pod.sandbox, container, &nics, until).await,
        };
        its.retain(|nic| {
            if !nic.is_physical {
                tracing::warn!(
                    "{}: pod {} has a virtual function, on which no service can be made for it: nothing keeps it apart from others there",
                    nic.address,
                    pod.sandbox
                );
            }
            nic.is_physical
        });
        if its.is_empty() {
            return Ok(None);
        }
        let netns = match netns.transpose()? {
            Some(netns) if Some(netns.inode) != self.own_netns => netns,
            _ => return self.on_host_network(&pod.sandbox).map(|()| None),
        };
        let namespace = &pod.sandbox.namespace;
        let plan = &self.site.isolation.vnis;
        let vni = plan
            .choose(namespace, pod.vni.as_deref())
            .map_err(|error| error.to_string())?;
        let want = Want {
            sandbox: pod.sandbox.clone(),
            netns: netns.inode,
            path: pod.netns.clone().unwrap_or_default(),
            vni,
            group: plan.group(namespace).to_owned(),
        };
        self.crew.bind(&its, &want, until).await?;
        Ok(Some(its))
    }

    /// Its namespace is the node's: a service for it would be one for every process of the node.
    fn on_host_network(&self, sandbox: &Sandbox) -> Result<(), String> {
        match self.site.isolation.host_network {
            HostNetwork::Ignore => {
                tracing::info!("pod {sandbox} has the host's network: it gets no service of its own");
                Ok(())
            }
            HostNetwork::Refuse => Err(
                "it has the host's network, and so can have no CXI service of its own: isolation.host_network is \"refuse\""
                    .to_owned(),
            ),
        }
    }

    /// What a privileged container was given, by kubelet's word.
    async fn given_to(&self, sandbox: &Sandbox, container: &Container, nics: &[NicNow], until: Instant) -> Vec<NicNow> {
        let until = until.min(Instant::now() + KUBELET);
        let asked = timeout_at(until, self.pod_resources.holdings(&self.site.resource)).await;
        let holdings = match asked {
            Ok(Ok(holdings)) => holdings,
            Ok(Err(unlisted)) => return not_bound(sandbox, container, &unlisted),
            Err(_) => return not_bound(sandbox, container, &"kubelet does not answer in time"),
        };
        let its = nics.iter().filter(|nic| {
            holdings.of(nic.address).iter().any(|holder| {
                holder.name.namespace == sandbox.namespace
                    && holder.name.pod == sandbox.pod
                    && holder.containers.contains(&container.name)
            })
        });
        let its: Vec<NicNow> = its.cloned().collect();
        if its.is_empty() {
            return not_bound(sandbox, container, &"kubelet has given it no NIC");
        }
        its
    }

    /// The number of a pod's namespace is used by nobody else as long as its services are there.
    fn hold(&mut self, netns: OpenNetns) {
        let inode = netns.inode;
        if self.crew.has_netns(inode) {
            let text = format!("FDSTORE=1\nFDNAME={}\n", fd_name(inode));
            // Without systemd it is held as long as we run.
            let _ = notify_socket::send(&text, &[netns.file.as_fd()]);
            self.held.insert(inode, netns);
        }
    }

    fn let_go(&mut self) {
        let free: Vec<u32> = self
            .held
            .keys()
            .copied()
            .filter(|inode| !self.crew.has_netns(*inode))
            .collect();
        for inode in free {
            self.held.remove(&inode);
            // As above.
            let _ = notify_socket::send(&format!("FDSTOREREMOVE=1\nFDNAME={}\n", fd_name(inode)), &[]);
        }
    }
}

fn fd_name(inode: u32) -> String {
    format!("netns-{inode}")
}

fn not_bound(sandbox: &Sandbox, container: &Container, why: &impl std::fmt::Display) -> Vec<NicNow> {
    tracing::warn!(
        "container {} of pod {sandbox} is privileged and has the nodes of all NICs; it gets no service: {why}",
        container.name
    );
    Vec::new()
}

impl Plugin for Handler {
    fn configured(&mut self, runtime: &str) {
        self.reporter.met(runtime);
    }

    async fn synchronize(&mut self, pods: Vec<pb::PodSandbox>, containers: Vec<pb::Container>) {
        let until = Instant::now() + DEADLINE;
        let is_running = |container: &&pb::Container| !Container::from(*container).has_ended;
        let running: Vec<&pb::Container> = containers.iter().filter(is_running).collect();
        let pods: BTreeMap<String, Pod> = pods.into_iter().map(|pod| (pod.id.clone(), Pod::from(pod))).collect();
        // One whose namespace has been torn down is there until it is removed, and has no container that runs.
        let lives = |(id, pod): &(&String, &Pod)| {
            pod.netns.is_some() || running.iter().any(|container| container.pod_sandbox_id == **id)
        };
        let living: Vec<String> = pods.iter().filter(lives).map(|(id, _)| id.clone()).collect();
        match self.look(None, until).await {
            Ok(looked) => self.crew.sweep(&looked.now, &living, until).await,
            Err(error) => tracing::warn!("{error}"),
        }
        for told in running {
            let Some(pod) = pods.get(&told.pod_sandbox_id) else {
                continue;
            };
            let container = Container::from(told);
            match self.prepare(pod, &container, until).await {
                Ok(_) => {}
                Err(reason) => tracing::warn!("pod {}: it runs without a service: {reason}", pod.sandbox),
            }
        }
        self.let_go();
        self.reporter.connected();
        self.report();
    }

    async fn run_pod(&mut self, pod: pb::PodSandbox) {
        // Only a container has NICs.
        tracing::debug!("pod {} begins", Pod::from(pod).sandbox);
    }

    async fn stop_pod(&mut self, pod: pb::PodSandbox, is_removed: bool) {
        let until = Instant::now() + DEADLINE;
        let pod = Pod::from(pod);
        let path = pod.netns.as_deref().filter(|_| !is_removed);
        match self.look(path, until).await {
            Ok(looked) => {
                self.release_gone(&looked, until).await;
                self.crew.release(&looked.now, &pod.sandbox.id, until).await;
                if let Some(Ok(netns)) = looked.netns {
                    self.hold(netns);
                }
            }
            Err(error) => tracing::warn!("pod {}: {error}", pod.sandbox),
        }
        self.let_go();
        self.report();
    }

    async fn create_container(
        &mut self,
        pod: pb::PodSandbox,
        container: pb::Container,
    ) -> Result<pb::ContainerAdjustment, String> {
        let until = Instant::now() + DEADLINE;
        let (pod, container) = (Pod::from(pod), Container::from(&container));
        let prepared = self.prepare(&pod, &container, until).await;
        self.report();
        match prepared {
            Ok(None) => Ok(pb::ContainerAdjustment::default()),
            Ok(Some(nics)) => {
                self.audit.begin(&pod.sandbox, &nics);
                Ok(adjustment::of(&container, &nics, &self.site.roots.sysfs))
            }
            Err(reason) => {
                tracing::warn!(
                    "container {} of pod {} is refused: {reason}",
                    container.name,
                    pod.sandbox
                );
                Err(format!("cxi-isolation: {reason}"))
            }
        }
    }

    async fn at_leisure(&mut self) {
        let look = (!self.crew.living().is_empty()).then_some(LOOK);
        match self.crew.due_in().into_iter().chain(look).min() {
            Some(wait) => sleep(wait.max(PACE)).await,
            None => std::future::pending().await,
        }
        let until = Instant::now() + DEADLINE;
        if let Ok(looked) = self.look(None, until).await {
            self.release_gone(&looked, until).await;
            self.crew.try_again(&looked.now, until).await;
        }
        self.let_go();
        self.report();
    }
}
