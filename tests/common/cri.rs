//! A container runtime that answers what kubelet would ask of it first, as recorded of real ones.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use cxi_device_plugin::kubelet::cri::pb;
use cxi_device_plugin::kubelet::cri::pb::runtime_service_server::{RuntimeService, RuntimeServiceServer};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::raw_kubelet::runtime;

/// What a runtime says.
#[derive(Debug, Clone)]
pub struct Answer {
    pub name: &'static str,
    pub version: &'static str,
    /// Its configuration as JSON, if it has one to show.
    pub config: Option<String>,
}

impl Answer {
    /// A runtime that prints no configuration.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        let config = None;
        Self { name, version, config }
    }

    /// As recorded of a real containerd (`tests/golden/cri`), reading CDI specs in this directory.
    pub fn containerd(version: &'static str, recorded: &str, cdi_dir: &Path) -> Self {
        let file = format!("{}/tests/golden/cri/{recorded}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        Self {
            config: Some(text.replace("/var/run/cdi", cdi_dir.to_str().unwrap())),
            ..Self::new("containerd", version)
        }
    }
}

/// It serves on a thread of its own until it is dropped; its socket goes with it.
pub struct Runtime {
    socket: PathBuf,
    asked: Arc<AtomicUsize>,
    death: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Service {
    answer: Result<Answer, Status>,
    asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl RuntimeService for Service {
    async fn version(&self, _: Request<pb::VersionRequest>) -> Result<Response<pb::VersionResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.clone()?;
        Ok(Response::new(pb::VersionResponse {
            version: "0.1.0".to_owned(),
            runtime_name: answer.name.to_owned(),
            runtime_version: answer.version.to_owned(),
            runtime_api_version: "v1".to_owned(),
        }))
    }

    async fn status(&self, request: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        let config = self.answer.clone()?.config.filter(|_| request.get_ref().verbose);
        let info = config.map(|config| ("config".to_owned(), config)).into_iter().collect();
        Ok(Response::new(pb::StatusResponse { info }))
    }
}

impl Runtime {
    pub fn start(socket: &Path, answer: Answer) -> Self {
        Self::serve(socket, Ok(answer))
    }

    /// With an error for an answer, too.
    pub fn serve(socket: &Path, answer: Result<Answer, Status>) -> Self {
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        Self::on(UnixListener::bind(socket).unwrap(), socket, answer)
    }

    /// On a socket that listens already.
    pub fn on(listener: UnixListener, socket: &Path, answer: Result<Answer, Status>) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let service = Service {
            answer,
            asked: Arc::clone(&asked),
        };
        let (death, dead) = oneshot::channel::<()>();
        listener.set_nonblocking(true).unwrap();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let server = Server::builder().add_service(RuntimeServiceServer::new(service));
                tokio::select! {
                    _ = dead => {}
                    _ = server.serve_with_incoming(UnixListenerStream::new(listener)) => {}
                }
            });
        });
        Self {
            socket: socket.to_owned(),
            asked,
            death: Some(death),
            thread: Some(thread),
        }
    }

    /// How often it was asked for its version.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.death.take());
        let _ = self.thread.take().unwrap().join();
        let _ = std::fs::remove_file(&self.socket);
    }
}
