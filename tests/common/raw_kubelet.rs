//! A Registration service on kubelet's socket that does what no test of the whole emulated kubelet can have it do, and a
//! client of a plugin's socket that is slow or foreign.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use cxi_sim::kubelet::pb;
use cxi_sim::kubelet::pb::device_plugin_client::DevicePluginClient;
use cxi_sim::kubelet::pb::registration_server::{Registration, RegistrationServer};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status, Streaming};

/// What it does once it has accepted a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Opens the stream, takes a list, and closes the connection.
    EndsStreams,
    /// Nothing at all.
    NeverCalls,
}

/// It serves on a thread of its own until it is dropped; its socket stays.
pub struct RawKubelet {
    calls: Arc<AtomicUsize>,
    death: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Registrar {
    folder: PathBuf,
    manner: Manner,
    calls: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl Registration for Registrar {
    async fn register(&self, request: Request<pb::RegisterRequest>) -> Result<Response<pb::Empty>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let socket = self.folder.join(&request.get_ref().endpoint);
        if self.manner == Manner::EndsStreams {
            tokio::spawn(async move {
                let mut lists = watch(&socket).await;
                let _ = lists.message().await;
            });
        }
        Ok(Response::new(pb::Empty {}))
    }
}

impl RawKubelet {
    pub fn start(folder: &Path, manner: Manner) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        Self::serve(UnixListener::bind(folder.join("kubelet.sock")).unwrap(), folder, manner)
    }

    /// On a socket that listens already.
    pub fn serve(listener: UnixListener, folder: &Path, manner: Manner) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let registrar = Registrar {
            folder: folder.to_owned(),
            manner,
            calls: Arc::clone(&calls),
        };
        let (death, dead) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let server = Server::builder().add_service(RegistrationServer::new(registrar));
                tokio::select! {
                    _ = dead => {}
                    _ = server.serve_with_incoming(UnixListenerStream::new(listener)) => {}
                }
            });
        });
        Self {
            calls,
            death: Some(death),
            thread: Some(thread),
        }
    }

    pub fn registrations(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for RawKubelet {
    fn drop(&mut self) {
        drop(self.death.take());
        let _ = self.thread.take().unwrap().join();
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// A client of a plugin's socket, as kubelet is one.
pub async fn plugin(socket: &Path) -> DevicePluginClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
    let endpoint = endpoint.origin(Uri::from_static("http://localhost"));
    // Where others call at the same time, there may be no room to wait in.
    let calling = async {
        loop {
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let channel = tokio::time::timeout(super::daemon::PATIENCE, calling).await;
    DevicePluginClient::new(channel.unwrap())
}

/// A call of this name that is begun on a connection of its own, and whose request never comes; what becomes of it.
pub async fn begun(socket: PathBuf, method: &'static str) -> Status {
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
    let channel = endpoint.origin(Uri::from_static("http://localhost")).connect().await;
    let mut client = tonic::client::Grpc::new(channel.unwrap());
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(format!("/v1beta1.DevicePlugin/{method}")).unwrap();
    let nothing = Request::new(tokio_stream::pending::<pb::AllocateRequest>());
    let codec = tonic_prost::ProstCodec::<pb::AllocateRequest, pb::Empty>::default();
    let answer = client.client_streaming(nothing, path, codec).await;
    answer.map(|_| ()).expect_err("an answer to nothing")
}

/// Its lists.
pub async fn watch(socket: &Path) -> Streaming<pb::ListAndWatchResponse> {
    let opened = plugin(socket).await.list_and_watch(pb::Empty {}).await;
    opened.unwrap().into_inner()
}

const SOCKET: &str = "CXI_TEST_FOREIGN_SOCKET";

/// Another process that watches this socket: the test of this name, started anew, has to call [`be_foreign`].
pub fn foreign(test: &str, socket: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(SOCKET, socket);
    command.stdout(std::process::Stdio::piped()).spawn().unwrap()
}

/// In that other process: takes lists for ever, beside more connections than anyone needs, and says so on stdout
/// after the first list of each.
pub fn be_foreign() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    runtime().block_on(async {
        let mut lists = watch(Path::new(&socket)).await;
        // Most are closed by the other side.
        let _idle: Vec<_> = (0..200).map(|_| UnixStream::connect(&socket)).collect();
        while let Ok(Some(_)) = lists.message().await {
            println!("watching");
        }
    });
}
