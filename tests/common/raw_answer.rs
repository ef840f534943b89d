//! A gRPC server that answers every call with the same bytes, whatever they are.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use prost::bytes::{Buf, BufMut};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::codegen::http;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::raw_kubelet::runtime;

/// Serves on a thread that ends with the test.
pub fn serve(socket: &Path, answer: Vec<u8>) {
    let listener = UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            let server = Server::builder().add_service(Raw { answer });
            server.serve_with_incoming(UnixListenerStream::new(listener)).await
        })
    });
}

#[derive(Clone)]
struct Raw {
    answer: Vec<u8>,
}

impl NamedService for Raw {
    const NAME: &'static str = "v1.PodResourcesLister";
}

impl UnaryService<()> for Raw {
    type Response = Vec<u8>;
    type Future = Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, _request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(self.answer.clone())))
    }
}

impl Service<http::Request<Body>> for Raw {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let raw = self.clone();
        Box::pin(async move { Ok(Grpc::new(Bytes).unary(raw, request).await) })
    }
}

/// Takes anything, gives bytes.
#[derive(Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&bytes);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}
