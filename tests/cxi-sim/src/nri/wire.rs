//! Frames, as a runtime reads and writes them. It shares nothing with the program's own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use prost::Message;

use super::pb::ttrpc;

/// Numbers of the two connections in one.
pub(super) const PLUGIN: u32 = 1;
pub(super) const RUNTIME: u32 = 2;

/// A runtime reads into a buffer of this size, and a longer piece is an error to it.
const BUFFER: usize = 4096;
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;

/// How what is sent is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// At the ends of a buffer; a long rest in one piece.
    AsRuntimesDo,
    /// Into pieces of so many bytes, each sent by itself.
    Into(usize),
}

#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    cut: Cut,
    /// What has come on each connection and was not read.
    arrived: [Vec<u8>; 3],
}

impl Wire {
    pub(super) fn new(stream: UnixStream, cut: Cut, patience: Duration) -> io::Result<Self> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            cut,
            arrived: Default::default(),
        })
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(super) fn call(&mut self, connection: u32, stream: u32, request: &ttrpc::Request) -> io::Result<()> {
        self.send(connection, stream, REQUEST, &request.encode_to_vec())
    }

    pub(super) fn respond(&mut self, connection: u32, stream: u32, payload: &[u8]) -> io::Result<()> {
        let response = ttrpc::Response {
            status: None,
            payload: payload.to_vec(),
        };
        self.send(connection, stream, RESPONSE, &response.encode_to_vec())
    }

    fn send(&mut self, connection: u32, stream: u32, kind: u8, data: &[u8]) -> io::Result<()> {
        let mut message = u32::try_from(data.len())
            .map_err(io::Error::other)?
            .to_be_bytes()
            .to_vec();
        message.extend(stream.to_be_bytes());
        message.extend([kind, 0]);
        message.extend(data);
        let pieces: Vec<&[u8]> = match self.cut {
            Cut::Into(size) => message.chunks(size).collect(),
            Cut::AsRuntimesDo => {
                let (first, rest) = message.split_at(message.len().min(BUFFER));
                [first, rest].into_iter().filter(|piece| !piece.is_empty()).collect()
            }
        };
        for piece in pieces {
            let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
            self.stream.write_all(&connection.to_be_bytes())?;
            self.stream.write_all(&length.to_be_bytes())?;
            self.stream.write_all(piece)?;
        }
        Ok(())
    }

    /// The next call, with its connection and number.
    pub(super) fn request(&mut self) -> io::Result<(u32, u32, ttrpc::Request)> {
        let (connection, stream, data) = self.message(RUNTIME, REQUEST)?;
        let request = ttrpc::Request::decode(data.as_slice()).map_err(io::Error::other)?;
        Ok((connection, stream, request))
    }

    pub(super) fn response(&mut self, connection: u32, stream: u32) -> io::Result<ttrpc::Response> {
        let (_, its, data) = self.message(connection, RESPONSE)?;
        if its != stream {
            return Err(io::Error::other(format!("an answer to call {its}, not to {stream}")));
        }
        ttrpc::Response::decode(data.as_slice()).map_err(io::Error::other)
    }

    fn message(&mut self, connection: u32, kind: u8) -> io::Result<(u32, u32, Vec<u8>)> {
        let header = self.bytes(connection, 10)?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_be_bytes).unwrap_or_default()
        };
        if header.get(8) != Some(&kind) {
            return Err(io::Error::other(format!(
                "a message of kind {:?}, not {kind}",
                header.get(8)
            )));
        }
        let length = usize::try_from(number(0)).map_err(io::Error::other)?;
        let data = self.bytes(connection, length)?;
        Ok((connection, number(4), data))
    }

    /// So many bytes of a connection.
    fn bytes(&mut self, connection: u32, count: usize) -> io::Result<Vec<u8>> {
        let place = usize::try_from(connection).map_err(io::Error::other)?;
        loop {
            let arrived = self
                .arrived
                .get_mut(place)
                .ok_or_else(|| io::Error::other("no such connection"))?;
            if arrived.len() >= count {
                return Ok(arrived.drain(..count).collect());
            }
            self.piece()?;
        }
    }

    fn piece(&mut self) -> io::Result<()> {
        let mut header = [0; 8];
        self.stream.read_exact(&mut header)?;
        let [a, b, c, d, e, f, g, h] = header;
        let connection = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(io::Error::other)?;
        let length = usize::try_from(u32::from_be_bytes([e, f, g, h])).map_err(io::Error::other)?;
        if length > BUFFER {
            return Err(io::Error::other(format!(
                "a piece of {length} bytes: a runtime takes {BUFFER}"
            )));
        }
        let mut piece = vec![0; length];
        self.stream.read_exact(&mut piece)?;
        let arrived = self.arrived.get_mut(connection).filter(|_| connection > 0);
        arrived
            .ok_or_else(|| io::Error::other(format!("a piece of connection {connection}")))?
            .extend(piece);
        Ok(())
    }
}
