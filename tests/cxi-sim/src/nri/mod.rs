//! A container runtime as NRI plugins see it: it takes a plugin, tells it what there is, and asks it while pods and containers are
//! made. It notes what a real one would not take.

mod pb;
mod wire;

use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use prost::Message;

pub use self::pb::*;
pub use self::wire::Cut;
use self::wire::{PLUGIN, RUNTIME, Wire};

/// A hang guard, far above what anything takes.
const PATIENCE: Duration = Duration::from_secs(30);
const OF_PLUGIN: &str = "nri.pkg.api.v1alpha1.Plugin";

/// A runtime that takes plugins.
#[derive(Debug)]
pub struct Runtime {
    listener: UnixListener,
    /// How it cuts what it sends.
    pub cut: Cut,
    /// How it tells of pods: by the methods of newer runtimes, or by the one of older ones.
    pub is_old: bool,
}

/// A plugin that is connected.
#[derive(Debug)]
pub struct Plugin {
    wire: Wire,
    /// By its own word.
    pub name: String,
    /// Its place among others.
    pub index: String,
    /// Which events it wants.
    pub events: i32,
    next: u32,
    is_old: bool,
}

impl Runtime {
    /// At this socket, where nobody is.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn listen(socket: &Path) -> io::Result<Self> {
        if let Some(directory) = socket.parent() {
            std::fs::create_dir_all(directory)?;
        }
        // That of a dead one.
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(socket)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            cut: Cut::AsRuntimesDo,
            is_old: false,
        })
    }

    /// Takes the next plugin, and configures it.
    ///
    /// # Errors
    /// None comes, or it does not speak NRI.
    pub fn take(&self) -> io::Result<Plugin> {
        let stream = self.accept()?;
        let mut wire = Wire::new(stream, self.cut, PATIENCE)?;
        let (connection, stream, request) = wire.request()?;
        if (connection, request.method.as_str()) != (RUNTIME, "RegisterPlugin") {
            return Err(io::Error::other(format!(
                "{connection}: {} comes first",
                request.method
            )));
        }
        let register = RegisterPluginRequest::decode(request.payload.as_slice()).map_err(io::Error::other)?;
        wire.respond(RUNTIME, stream, &Empty {}.encode_to_vec())?;
        let mut plugin = Plugin {
            wire,
            name: register.plugin_name,
            index: register.plugin_idx,
            events: 0,
            next: 1,
            is_old: self.is_old,
        };
        let configure = ConfigureRequest {
            runtime_name: "emulated".to_owned(),
            runtime_version: "1.0".to_owned(),
            registration_timeout: 5000,
            request_timeout: 2000,
            ..ConfigureRequest::default()
        };
        let answer: ConfigureResponse = plugin.told("Configure", &configure)?;
        plugin.events = answer.events;
        Ok(plugin)
    }

    /// The same, and tells it what there is, in one part.
    ///
    /// # Errors
    /// The same.
    pub fn take_and_tell(&self, pods: &[PodSandbox], containers: &[Container]) -> io::Result<Plugin> {
        let mut plugin = self.take()?;
        plugin.synchronize(pods, containers, false)?;
        Ok(plugin)
    }

    fn accept(&self) -> io::Result<std::os::unix::net::UnixStream> {
        let start = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if start.elapsed() > PATIENCE => return Err(io::Error::other("no plugin comes")),
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

impl Plugin {
    /// Tells pods and containers that there are; `more` follow.
    ///
    /// # Errors
    /// The plugin is gone, or answers something else than runtimes expect.
    pub fn synchronize(&mut self, pods: &[PodSandbox], containers: &[Container], more: bool) -> io::Result<()> {
        let request = SynchronizeRequest {
            pods: pods.to_vec(),
            containers: containers.to_vec(),
            more,
        };
        let answer: SynchronizeResponse = self.told("Synchronize", &request)?;
        if answer.more == more {
            Ok(())
        } else {
            Err(io::Error::other("the plugin has not understood that more follows"))
        }
    }

    /// A container is made: what the plugin wants of it, or why it must not be.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn create_container(
        &mut self,
        pod: &PodSandbox,
        container: &Container,
    ) -> io::Result<Result<ContainerAdjustment, String>> {
        let request = CreateContainerRequest {
            pod: Some(pod.clone()),
            container: Some(container.clone()),
        };
        let answer = self.call::<CreateContainerResponse>("CreateContainer", &request)?;
        Ok(answer.map(|answer| answer.adjust.unwrap_or_default()))
    }

    /// A pod begins.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn run_pod(&mut self, pod: &PodSandbox) -> io::Result<()> {
        self.event(1, "RunPodSandbox", pod)
    }

    /// A pod ends.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn stop_pod(&mut self, pod: &PodSandbox) -> io::Result<()> {
        self.event(2, "StopPodSandbox", pod)
    }

    /// A pod is removed: of its network namespace nothing is told any more.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn remove_pod(&mut self, pod: &PodSandbox) -> io::Result<()> {
        let mut pod = pod.clone();
        pod.linux = None;
        self.event(3, "RemovePodSandbox", &pod)
    }

    fn event(&mut self, event: i32, method: &str, pod: &PodSandbox) -> io::Result<()> {
        let pod = Some(pod.clone());
        let _: Empty = if self.is_old {
            self.told("StateChange", &StateChangeEvent { event, pod })?
        } else {
            self.told(method, &PodSandboxRequest { pod })?
        };
        Ok(())
    }

    fn told<A: Message + Default>(&mut self, method: &str, request: &impl Message) -> io::Result<A> {
        let answer = self.call(method, request)?;
        answer.map_err(|error| io::Error::other(format!("{method}: {error}")))
    }

    /// A call of any method; an error of the plugin's own is the inner one.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn call<A: Message + Default>(
        &mut self,
        method: &str,
        request: &impl Message,
    ) -> io::Result<Result<A, String>> {
        let stream = self.next;
        self.next += 2;
        let request = ttrpc::Request {
            service: OF_PLUGIN.to_owned(),
            method: method.to_owned(),
            payload: request.encode_to_vec(),
            timeout_nano: 0,
        };
        self.wire.call(PLUGIN, stream, &request)?;
        let response = self.wire.response(PLUGIN, stream)?;
        match response.status.filter(|status| status.code != 0) {
            Some(status) => Ok(Err(status.message)),
            None => A::decode(response.payload.as_slice()).map(Ok).map_err(io::Error::other),
        }
    }

    /// Sends bytes that are whatever they are.
    ///
    /// # Errors
    /// The plugin is gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.send_raw(bytes)
    }
}
