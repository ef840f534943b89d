//! One life of kubelet: the process between a start and a death.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::pb::registration_server::RegistrationServer;
use super::pod_resources::Lister;
use super::pod_resources::pb::pod_resources_lister_server::PodResourcesListerServer;
use super::registration::Registrar;
use super::relay::Relay;
use super::state::Shared;

/// A running life. It has a thread and a runtime of its own, so that its end takes all its connections with it at once, as
/// the end of a process does, whatever they were doing.
#[derive(Debug)]
pub struct Life {
    death: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    /// Serves Registration on the listener, and PodResources on the other one, if there is any; or it stands for the `real`
    /// kubelet.
    pub fn begin(
        listener: UnixListener,
        pods: Option<UnixListener>,
        shared: Arc<Shared>,
        real: Option<PathBuf>,
    ) -> io::Result<Life> {
        let (death, dead) = oneshot::channel();
        let (report, started) = mpsc::channel();
        let thread =
            std::thread::Builder::new()
                .name("kubelet".to_owned())
                .spawn(move || match runtime(listener, pods) {
                    Ok((runtime, listener, pods)) => {
                        // Nobody listens only if `begin` is gone, and then `dead` ends this life.
                        let _ = report.send(Ok(()));
                        match real {
                            Some(dir) => runtime.block_on(relay(listener, Relay { shared, dir }, dead)),
                            None => runtime.block_on(serve(listener, pods, shared, dead)),
                        }
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                    }
                })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Life {
            death: Some(death),
            thread: Some(thread),
        })
    }
}

impl Drop for Life {
    /// Ends the life and waits until nothing is left of it. This takes no help from the plugin, so it cannot block.
    fn drop(&mut self) {
        drop(self.death.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Listener = tokio::net::UnixListener;

fn runtime(listener: UnixListener, pods: Option<UnixListener>) -> io::Result<(Runtime, Listener, Option<Listener>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let listener = Listener::from_std(listener)?;
    let pods = pods.map(Listener::from_std).transpose()?;
    drop(entered);
    Ok((runtime, listener, pods))
}

async fn relay(listener: Listener, relay: Relay, dead: oneshot::Receiver<()>) {
    let server = Server::builder()
        .add_service(RegistrationServer::new(relay))
        .serve_with_incoming(UnixListenerStream::new(listener));
    tokio::select! {
        _ = dead => {}
        _ = server => {}
    }
}

async fn serve(listener: Listener, pods: Option<Listener>, shared: Arc<Shared>, dead: oneshot::Receiver<()>) {
    let lister = PodResourcesListerServer::new(Lister { shared: shared.clone() });
    let list = async {
        if let Some(pods) = pods {
            let server = Server::builder().add_service(lister);
            // It ends with this life.
            let _ = server.serve_with_incoming(UnixListenerStream::new(pods)).await;
        }
        std::future::pending::<()>().await;
    };
    let service = RegistrationServer::new(Registrar { shared });
    let server = Server::builder()
        .add_service(service)
        .serve_with_incoming(UnixListenerStream::new(listener));
    tokio::select! {
        _ = dead => {}
        _ = server => {}
        () = list => {}
    }
}
