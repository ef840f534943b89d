//! How we stand with kubelet, as status and log show it: each state once.

use std::path::Path;

use tokio::sync::watch;

use super::competing::Named;
use crate::model::alloc::resource::ResourceName;
use crate::model::message_id;
use crate::model::status::KubeletState;

/// Says it.
#[derive(Debug)]
pub struct Standing {
    resource: ResourceName,
    shown: watch::Sender<KubeletState>,
    /// Whether kubelet's absence is worth a warning.
    is_expected: bool,
    is_waiting: bool,
    reason: String,
    named: Named,
}

impl Standing {
    /// Nothing is said yet.
    pub fn new(resource: ResourceName, shown: watch::Sender<KubeletState>, is_expected: bool) -> Self {
        Self {
            resource,
            shown,
            is_expected,
            is_waiting: false,
            reason: String::new(),
            named: Named::default(),
        }
    }

    /// Kubelet's socket is not there.
    pub fn waiting(&mut self, kubelet_dir: &Path) {
        if std::mem::replace(&mut self.is_waiting, true) {
            return;
        }
        self.show(KubeletState::Waiting);
        let (message_id, place) = (message_id::KUBELET_AWAITED, kubelet_dir.display());
        if self.is_expected {
            tracing::warn!(message_id, "waiting for kubelet.sock in {place}");
        } else {
            tracing::info!(message_id, "waiting for kubelet.sock in {place}");
        }
    }

    /// Kubelet follows our list.
    pub fn registered(&mut self, socket: String) {
        let (message_id, resource) = (message_id::REGISTERED, &self.resource);
        tracing::info!(message_id, %resource, socket, "registered with kubelet");
        self.is_waiting = false;
        self.show(KubeletState::Registered);
    }

    /// It does not, for this reason.
    pub fn not_registered(&mut self, reason: String) {
        self.is_waiting = false;
        self.show(KubeletState::NotRegistered { reason: reason.clone() });
        let resource = &self.resource;
        if self.reason == reason {
            tracing::debug!(%resource, "not registered: {reason}");
        } else {
            let message_id = message_id::NOT_REGISTERED;
            tracing::warn!(message_id, %resource, reason, "not registered: {reason}; trying again");
            self.reason = reason;
        }
    }

    /// It was good long enough for the same reason to be news again.
    pub fn forget_reason(&mut self) {
        self.reason.clear();
    }

    /// The competing sockets that have been named.
    pub fn named(&self) -> &Named {
        &self.named
    }

    /// There is a competing socket.
    pub fn competing(&mut self, socket: String) {
        let (message_id, resource) = (message_id::COMPETING_PLUGIN, &self.resource);
        let reason = format!("its socket is {socket}");
        tracing::error!(
            message_id,
            %resource,
            reason,
            "another plugin serves {resource}, too ({reason}): they take the NICs from each other. Remove it; the Go plugin is \
             a DaemonSet"
        );
        self.named.insert(socket);
    }

    fn show(&self, state: KubeletState) {
        self.shown.send_if_modified(|shown| {
            let is_news = *shown != state;
            *shown = state;
            is_news
        });
    }
}
