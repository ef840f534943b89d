//! One connection to a container runtime.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use prost::Message as _;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::frames::{Decoder, FrameError, Kind, Message, encode};
use super::pb::ttrpc;

/// How long the runtime may take to read what we send.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Why a connection is over.
#[derive(Debug, Error)]
pub enum Lost {
    /// The runtime has closed it, as it does with a plugin that is too slow.
    #[error("the runtime has closed the connection")]
    Closed,
    /// The system.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// It is no NRI.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// It is NRI, and makes no sense.
    #[error("{0}")]
    Senseless(String),
    /// The runtime does not want us.
    #[error("the runtime refuses: {0}")]
    Refused(String),
    /// It does not read, or does not answer.
    #[error("the runtime does not {0}")]
    Silent(&'static str),
}

/// The connection.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    /// What has arrived and was not taken yet.
    arrived: VecDeque<Message>,
}

impl Connection {
    /// Over this stream.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            arrived: VecDeque::new(),
        }
    }

    /// The next message. What is dropped before it is there loses nothing.
    ///
    /// # Errors
    /// There is no next one.
    pub async fn receive(&mut self) -> Result<Message, Lost> {
        loop {
            if let Some(message) = self.arrived.pop_front() {
                return Ok(message);
            }
            self.stream.readable().await?;
            let mut chunk = vec![0; CHUNK];
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => {
                    let bytes = chunk.get(..count).unwrap_or_default();
                    self.arrived.extend(self.decoder.take(bytes)?);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A call.
    ///
    /// # Errors
    /// It cannot be sent.
    pub async fn call(&mut self, connection: u32, stream: u32, request: &ttrpc::Request) -> Result<(), Lost> {
        self.send(connection, stream, Kind::Request, request.encode_to_vec())
            .await
    }

    /// The answer to a call.
    ///
    /// # Errors
    /// It cannot be sent.
    pub async fn answer(&mut self, to: &Message, response: &ttrpc::Response) -> Result<(), Lost> {
        self.send(to.connection, to.stream, Kind::Response, response.encode_to_vec())
            .await
    }

    async fn send(&mut self, connection: u32, stream: u32, kind: Kind, data: Vec<u8>) -> Result<(), Lost> {
        let bytes = encode(&Message {
            connection,
            stream,
            kind,
            data,
        })?;
        let writing = async {
            let mut left = bytes.as_slice();
            while !left.is_empty() {
                self.stream.writable().await?;
                match self.stream.try_write(left) {
                    Ok(count) => left = left.get(count..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        };
        timeout(PATIENCE, writing)
            .await
            .unwrap_or(Err(Lost::Silent("read what we send")))
    }
}
