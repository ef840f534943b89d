//! Everything the emulated kubelet knows, and how waiting for a change of it works.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Timing;
use super::devices::DeviceTable;
use super::endpoint::Connection;
use super::pods::PodDevices;
use super::rules::Violation;
use super::transcript::{Event, Transcript};

/// One resource of the device manager (`endpoints` and the device maps of `manager.go`).
#[derive(Debug, Default)]
pub struct Resource {
    pub devices: DeviceTable,
    /// `None` once the endpoint has stopped, and after a restart until the plugin is back.
    pub endpoint: Option<Connection>,
}

/// An entry of `clients` in `server.go`: by resource name only, which is what makes Race A.
#[derive(Debug)]
pub struct Client {
    pub number: u64,
    /// `None` while kubelet still dials.
    pub connection: Option<Connection>,
}

/// The state of kubelet. What a checkpoint keeps outlives [`State::forget_life`].
#[derive(Debug, Default)]
pub struct State {
    pub running: bool,
    pub resources: BTreeMap<String, Resource>,
    pub clients: BTreeMap<String, Client>,
    pub next_client: u64,
    pub registrations: BTreeMap<String, usize>,
    pub streams: BTreeMap<String, usize>,
    pub pods: PodDevices,
    pub violations: Vec<Violation>,
    pub transcript: Transcript,
}

impl State {
    pub fn record(&mut self, event: Event) {
        self.transcript.push(&event);
    }

    pub fn object(&mut self, violations: impl IntoIterator<Item = Violation>) {
        for violation in violations {
            self.transcript.push(&Event::Violation {
                rule: violation.rule,
                text: violation.text.clone(),
            });
            self.violations.push(violation);
        }
    }

    /// Drops what only a running process has. As after a read of the checkpoint (`manager.go`, `readCheckpoint`), the
    /// resources stay known, without any device and with a stopped endpoint, and pods keep what they hold.
    pub fn forget_life(&mut self) {
        self.running = false;
        self.clients.clear();
        self.registrations.clear();
        self.streams.clear();
        for resource in self.resources.values_mut() {
            *resource = Resource::default();
        }
    }

    /// `disconnectClient` of `handler.go`: whoever stands under this name now is disconnected, be it the one whose stream
    /// ended or a newer one (Race A, kubelet 1.25 to 1.36). Without an entry nothing happens at all.
    pub fn disconnect(&mut self, resource: &str) -> bool {
        let Some(client) = self.clients.remove(resource) else {
            return false;
        };
        if let Some(connection) = client.connection {
            connection.close();
        }
        if let Some(known) = self.resources.get_mut(resource) {
            known.devices.mark_unhealthy();
            known.endpoint = None;
        }
        true
    }
}

/// The state, shared by the tasks of a life and whoever drives kubelet.
#[derive(Debug)]
pub struct Shared {
    pub dir: PathBuf,
    pub timing: Timing,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Shared {
    pub fn new(dir: PathBuf, timing: Timing, transcript: Transcript) -> Shared {
        let state = State {
            transcript,
            ..State::default()
        };
        Shared {
            dir,
            timing,
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        }
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes everybody who waits.
    pub fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    /// What `look` finds, as soon as it finds something, or `None` after `limit`.
    pub async fn wait<T>(&self, limit: Duration, look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        tokio::time::timeout(limit, self.wait_forever(look))
            .await
            .ok()
            .flatten()
    }

    /// As [`Shared::wait`], without a limit. `None` never comes, as the sender lives in `self`.
    pub async fn wait_forever<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut changes = self.changes();
        loop {
            if let Some(found) = self.read(&mut look) {
                return Some(found);
            }
            changes.changed().await.ok()?;
        }
    }

    /// Tells of every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A panicking predicate of a test leaves the state whole, so poison means nothing here.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
