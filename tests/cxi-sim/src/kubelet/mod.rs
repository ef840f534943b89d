//! An emulated kubelet: the device manager's side of the device plugin API v1beta1, as a plugin sees it.
//!
//! It does what kubelet's sources do (`pkg/kubelet/cm/devicemanager`: `manager.go`, `endpoint.go`,
//! `plugin/v1beta1/{server,handler,client}.go`), mistakes included, and on top of that notes as a [`Violation`] whatever the
//! strictest kubelet could object to. It starts, dies, restarts and forgets plugins whenever a test says so.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, time::Duration};
//! let mut kubelet = cxi_sim::kubelet::Kubelet::start(Path::new("device-plugins"))?;
//! let all_healthy = |devices: &[cxi_sim::kubelet::Device]| devices.len() == 2 && devices.iter().all(|d| d.is_healthy());
//! kubelet.wait_for("beta.hpe.com/cxi", Duration::from_secs(10), all_healthy).await?;
//! let grant = kubelet.allocate_count("beta.hpe.com/cxi", "pod-a", 1).await?;
//! assert_eq!(grant.ids.len(), 1);
//! kubelet.restart()?;
//! # Ok(())
//! # }
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

mod allocation;
pub mod change;
mod devices;
mod directory;
mod endpoint;
mod life;
mod names;
pub mod pb;
mod pod_resources;
mod pods;
mod registration;
mod relay;
mod rules;
mod runner;
pub mod scenario;
mod scrub;
mod state;
mod transcript;

pub use allocation::{AllocateError, Grant};
pub use devices::Device;
pub use endpoint::Client;
pub use relay::RealKubelet;
pub use rules::{Rule, Violation};
pub use runner::{Failure, Mismatch, Outcome};
pub use scenario::Scenario;
pub use transcript::Line;

use life::Life;
use scrub::Scrub;
use state::Shared;
use transcript::{Event, Transcript};

/// How long kubelet waits for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the dial inside Register: 10 s in `client.go`.
    pub dial: Duration,
    /// For the first ListAndWatch message. Kubelet waits forever; later than 5 s is a violation here.
    pub first_list: Duration,
    /// For Allocate and GetPreferredAllocation. Kubelet waits forever; this only keeps a test from hanging.
    pub allocate: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        let seconds = Duration::from_secs;
        Timing {
            dial: seconds(10),
            first_list: seconds(5),
            allocate: seconds(30),
        }
    }
}

/// What can be chosen about an emulated kubelet.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Its patience.
    pub timing: Timing,
    /// The folder of the emulated node: paths below it are `<root>/...` in the transcript.
    pub root: Option<PathBuf>,
    /// Its socket that tells which pod holds what; none for no such socket.
    pub pod_resources: Option<PathBuf>,
    /// A real kubelet that does what is asked of this one; then this one only stands between it and the plugin.
    pub real: Option<RealKubelet>,
}

/// Why kubelet could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It runs.
    #[error("kubelet is running already")]
    Running,
    /// The directory or the socket could not be made.
    #[error("kubelet cannot listen in {}: {source}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// The devices did not become what was waited for.
#[derive(Debug, thiserror::Error)]
#[error("not so within {limit:?}: {resource} has {}", describe(seen))]
pub struct WaitError {
    /// The resource.
    pub resource: String,
    /// How long was waited.
    pub limit: Duration,
    /// The devices at the end of that time.
    pub seen: Vec<Device>,
}

/// Devices in words, for messages to people.
fn describe(devices: &[Device]) -> String {
    let with = |healthy: bool| {
        let ids: Vec<&str> = devices
            .iter()
            .filter(|d| d.is_healthy() == healthy)
            .map(|d| d.id.as_str())
            .collect();
        format!("{} [{}]", ids.len(), ids.join(", "))
    };
    format!("healthy {}, unhealthy {}", with(true), with(false))
}

/// An emulated kubelet over all its lives in one directory. Dropping it is its death.
#[derive(Debug)]
pub struct Kubelet {
    shared: Arc<Shared>,
    pod_resources: Option<PathBuf>,
    real: Option<RealKubelet>,
    life: Option<Life>,
}

impl Kubelet {
    /// Starts a kubelet with kubelet's own timing in `dir`.
    pub fn start(dir: &Path) -> Result<Kubelet, StartError> {
        let mut kubelet = Kubelet::new(dir, Settings::default());
        kubelet.boot()?;
        Ok(kubelet)
    }

    /// A kubelet that does not run yet; nothing is touched before [`Kubelet::boot`].
    pub fn new(dir: &Path, settings: Settings) -> Kubelet {
        let transcript = Transcript::new(Scrub::new(dir, settings.root.as_deref()));
        Kubelet {
            shared: Arc::new(Shared::new(dir.to_owned(), settings.timing, transcript)),
            pod_resources: settings.pod_resources,
            real: settings.real,
            life: None,
        }
    }

    /// Begins a life as kubelet's start does (`server.go`, `Start`): makes the directory (0750), removes every socket in
    /// it, a plugin's too, listens on `kubelet.sock` and serves Registration.
    pub fn boot(&mut self) -> Result<(), StartError> {
        if self.life.is_some() {
            return Err(StartError::Running);
        }
        let failed = |source| StartError::Io {
            dir: self.shared.dir.clone(),
            source,
        };
        if let Some(real) = &self.real {
            real.have(&["start"]).map_err(failed)?;
        }
        let listener = directory::prepare(&self.shared.dir).map_err(failed)?;
        let pods = self
            .pod_resources
            .as_deref()
            .map(directory::listen)
            .transpose()
            .map_err(failed)?;
        // The state comes first: a plugin may register as soon as the life begins.
        self.shared.update(|state| {
            state.running = true;
            state.record(Event::KubeletStarted);
        });
        let real = self.real.as_ref().map(|real| real.dir.clone());
        let life = Life::begin(listener, pods, self.shared.clone(), real);
        self.life = Some(life.map_err(|source| {
            self.shared.update(state::State::forget_life);
            failed(source)
        })?);
        Ok(())
    }

    /// Kubelet dies as by SIGKILL: every connection is gone, `kubelet.sock` stays behind without a listener. Devices are
    /// unknown afterwards; what pods hold is kept, as in kubelet's checkpoint. Does nothing if it does not run.
    pub fn stop(&mut self) {
        self.end(false);
    }

    /// Kubelet ends as by SIGTERM: as [`Kubelet::stop`], and `kubelet.sock` is removed.
    pub fn shutdown(&mut self) {
        if self.real.is_none() && self.life.is_some() {
            // As Go's listener: the name goes before the connections do. It may have been removed by somebody else.
            let _ = directory::remove(&self.shared.dir.join(directory::SOCKET));
            let _ = self.pod_resources.as_deref().map(directory::remove);
        }
        self.end(true);
    }

    /// Death, and a new life in the same directory.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.boot()
    }

    /// Drops the connection to a plugin and keeps running, as kubelet does after an error on the stream (`handler.go`,
    /// `disconnectClient`). False if there is no connection.
    pub fn forget(&self, resource: &str) -> bool {
        self.shared.update(|state| {
            let connected = state.disconnect(resource);
            if connected {
                state.record(Event::Forgot {
                    resource: resource.to_owned(),
                });
            }
            connected
        })
    }

    /// Whether a life is running.
    pub fn is_running(&self) -> bool {
        self.life.is_some()
    }

    /// The devices of a resource in the order of their IDs: all of them are its capacity, the healthy ones its allocatable.
    pub fn devices(&self, resource: &str) -> Vec<Device> {
        self.shared
            .read(|state| state.resources.get(resource).map(|known| known.devices.all()))
            .unwrap_or_default()
    }

    /// The socket of the plugin that serves the resource, once kubelet has connected to it; none after its stream ended.
    pub fn endpoint(&self, resource: &str) -> Option<PathBuf> {
        self.shared.read(|state| {
            let endpoint = state.resources.get(resource)?.endpoint.as_ref()?;
            Some(endpoint.socket.clone())
        })
    }

    /// A client on kubelet's own connection to the plugin that serves the resource, for calls that leave no trace in the
    /// transcript.
    pub fn client(&self, resource: &str) -> Option<Client> {
        self.shared.read(|state| {
            let endpoint = state.resources.get(resource)?.endpoint.as_ref()?;
            Some(endpoint.client())
        })
    }

    /// How often a plugin tried to register the resource in this life, failures included: the metric
    /// `kubelet_device_plugin_registration_total`. 0 while kubelet does not run.
    pub fn registrations(&self, resource: &str) -> usize {
        self.shared
            .read(|state| state.registrations.get(resource).copied())
            .unwrap_or_default()
    }

    /// How many ListAndWatch streams of the resource kubelet follows.
    pub fn open_streams(&self, resource: &str) -> usize {
        self.shared
            .read(|state| state.streams.get(resource).copied())
            .unwrap_or_default()
    }

    /// Every broken rule so far, of all lives.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.read(|state| state.violations.clone())
    }

    /// Everything that happened so far, in all lives.
    pub fn transcript(&self) -> Vec<Line> {
        self.shared.read(|state| state.transcript.after(0).to_vec())
    }

    /// The lines of the transcript from number `from` on, as soon as there is one.
    pub async fn transcript_after(&self, from: usize) -> Vec<Line> {
        let look = |state: &state::State| {
            let lines = state.transcript.after(from);
            (!lines.is_empty()).then(|| lines.to_vec())
        };
        self.shared.wait_forever(look).await.unwrap_or_default()
    }

    /// Waits until the devices of a resource are as `wanted`, at most `limit`, and gives them back.
    pub async fn wait_for(
        &self,
        resource: &str,
        limit: Duration,
        wanted: impl Fn(&[Device]) -> bool,
    ) -> Result<Vec<Device>, WaitError> {
        let look = |state: &state::State| {
            let devices = state
                .resources
                .get(resource)
                .map(|known| known.devices.all())
                .unwrap_or_default();
            wanted(&devices).then_some(devices)
        };
        let found = self.shared.wait(limit, look).await;
        found.ok_or_else(|| WaitError {
            resource: resource.to_owned(),
            limit,
            seen: self.devices(resource),
        })
    }

    /// Whether a real kubelet tells of these devices what it was told of them.
    ///
    /// # Errors
    /// What it tells.
    pub fn agrees(&self, devices: &[Device]) -> io::Result<()> {
        let Some(real) = &self.real else { return Ok(()) };
        let healthy = devices.iter().filter(|device| device.is_healthy()).count();
        real.have(&["has", &devices.len().to_string(), &healthy.to_string()])
    }

    /// Waits until `wanted` holds for this kubelet, at most `limit`; false if it never did. It is asked after each change.
    pub async fn wait_until(&self, limit: Duration, wanted: impl Fn(&Kubelet) -> bool) -> bool {
        let mut changes = self.shared.changes();
        let reached = async { while !wanted(self) && changes.changed().await.is_ok() {} };
        tokio::time::timeout(limit, reached).await.is_ok()
    }

    /// One Allocate call with these device IDs by container. The IDs go to the plugin as they are, known or not, so that
    /// its own checks can be tested; kubelet only needs a running endpoint.
    pub async fn allocate(
        &self,
        resource: &str,
        containers: Vec<Vec<String>>,
    ) -> Result<pb::AllocateResponse, AllocateError> {
        allocation::allocate(&self.shared, resource, containers).await
    }

    /// As [`Kubelet::allocate`], and the pod holds the devices until its release.
    pub async fn allocate_for(
        &self,
        resource: &str,
        pod: &str,
        containers: Vec<Vec<String>>,
    ) -> Result<pb::AllocateResponse, AllocateError> {
        if self.real.is_some() {
            return Err(AllocateError::Real("it chooses for itself".to_owned()));
        }
        let ids = containers.concat();
        let response = self.allocate(resource, containers).await?;
        self.shared.update(|state| state.pods.insert(pod, resource, ids));
        Ok(response)
    }

    /// Admits a pod with one container that wants `count` devices. Kubelet refuses by itself if not enough of them are
    /// healthy and free; otherwise it asks the plugin for its preference, if it has one, and allocates.
    pub async fn allocate_count(&self, resource: &str, pod: &str, count: usize) -> Result<Grant, AllocateError> {
        if let Some(real) = &self.real {
            if !self.is_running() {
                return Err(AllocateError::NotRunning);
            }
            let done = real.have(&["pod", pod, &count.to_string()]);
            return done
                .map(|()| Grant::default())
                .map_err(|error| AllocateError::Real(error.to_string()));
        }
        let grant = allocation::allocate_count(&self.shared, resource, count).await?;
        self.shared
            .update(|state| state.pods.insert(pod, resource, grant.ids.iter().cloned()));
        Ok(grant)
    }

    /// The pod is gone and its devices are free. No plugin is told: the API has no such call. False if it held nothing.
    pub fn release(&self, pod: &str) -> bool {
        if let Some(real) = &self.real {
            return real.have(&["delete", pod]).is_ok();
        }
        self.shared.update(|state| state.pods.release(pod))
    }

    fn end(&mut self, graceful: bool) {
        if let Some(life) = self.life.take() {
            if let Some(real) = &self.real {
                // One that goes on refuses its next start.
                let _ = real.have(&[if graceful { "terminate" } else { "kill" }]);
                if !real.has_socket() {
                    let _ = directory::remove(&self.shared.dir.join(directory::SOCKET));
                }
            }
            // Drop waits for the end of the life: nothing of it can come after the state is cleared.
            drop(life);
            self.shared.update(|state| {
                state.forget_life();
                state.record(Event::Stopped { graceful });
            });
        }
    }
}
