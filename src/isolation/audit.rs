//! What kubelet says of a container's NICs, held against what its runtime says. It decides nothing: kubelet leaves containers out,
//! and may be slow; so it is asked beside the handlers, one question at a time.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::kubelet::pod_resources::PodResources;
use crate::model::alloc::resource::ResourceName;
use crate::model::isolation::container::NicNow;
use crate::model::isolation::pod::Sandbox;

/// Asks, and says what does not fit.
#[derive(Debug, Clone)]
pub struct Audit {
    pod_resources: PodResources,
    resource: ResourceName,
    /// Held by the question that is asked.
    asking: Arc<Mutex<()>>,
}

impl Audit {
    /// About NICs of this resource.
    pub fn new(pod_resources: PodResources, resource: ResourceName) -> Self {
        Self {
            pod_resources,
            resource,
            asking: Arc::default(),
        }
    }

    /// Nobody waits for it. In a storm of pods some are left out.
    pub fn begin(&self, sandbox: &Sandbox, nics: &[NicNow]) {
        let Ok(asking) = Arc::clone(&self.asking).try_lock_owned() else {
            return;
        };
        let (audit, sandbox) = (self.clone(), sandbox.clone());
        let nics: Vec<_> = nics.iter().map(|nic| nic.address).collect();
        tokio::spawn(async move {
            let holdings = match audit.pod_resources.holdings(&audit.resource).await {
                Ok(holdings) => holdings,
                Err(unlisted) => return tracing::debug!("kubelet does not say who holds what: {unlisted}"),
            };
            let is_it = |namespace: &str, pod: &str| namespace == sandbox.namespace && pod == sandbox.pod;
            // A pod that holds none by its word is one of which it does not tell.
            let mut all = holdings.iter().flat_map(|(_, holders)| holders);
            if !all.any(|holder| is_it(&holder.name.namespace, &holder.name.pod)) {
                return;
            }
            for nic in nics {
                let mut holders = holdings.of(nic).iter();
                if !holders.any(|holder| is_it(&holder.name.namespace, &holder.name.pod)) {
                    tracing::warn!(
                        "{nic}: pod {sandbox} has it in a container, and kubelet has not given it to the pod"
                    );
                }
            }
            drop(asking);
        });
    }
}
