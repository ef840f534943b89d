//! Frames of NRI: several connections in one, each a stream of ttrpc messages. Bytes in, messages out, and back; no socket here.
//!
//! A frame of the outer kind is a connection's number and a length; what is in it is a piece of that connection's stream. The
//! runtime cuts a long message into several of them, wherever its buffers end.

use std::collections::BTreeMap;

use thiserror::Error;

/// The connection on which the runtime calls us.
pub const PLUGIN: u32 = 1;
/// The connection on which we call the runtime.
pub const RUNTIME: u32 = 2;

/// Bytes before a piece.
const PIECE_HEADER: usize = 8;
/// Bytes before a message.
const MESSAGE_HEADER: usize = 10;
/// Bytes of the longest message, without its header.
pub const LONGEST: usize = 4 << 20;
/// Bytes of the longest piece that we send: the runtime reads into a buffer of this size, and takes a longer one for an error.
const PIECE: usize = 4096;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call.
    Request,
    /// Its answer.
    Response,
    /// Something else, such as data of a stream, which NRI has none of.
    Other(u8),
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Other(number) => number,
        }
    }

    fn of(number: u8) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Response,
            other => Self::Other(other),
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// On which connection.
    pub connection: u32,
    /// Which call it belongs to.
    pub stream: u32,
    /// What it is.
    pub kind: Kind,
    /// The call's own bytes.
    pub data: Vec<u8>,
}

/// The other side does not speak NRI, or speaks it wrongly: there is no way on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A piece of more bytes than there can be.
    #[error("a piece of {0} bytes: this is no NRI")]
    Piece(u32),
    /// A message of more bytes than there can be.
    #[error("a message of {0} bytes, more than NRI allows")]
    Message(u32),
}

/// As it is sent.
///
/// # Errors
/// It is too long.
pub fn encode(message: &Message) -> Result<Vec<u8>, FrameError> {
    let length = u32::try_from(message.data.len()).unwrap_or(u32::MAX);
    if message.data.len() > LONGEST {
        return Err(FrameError::Message(length));
    }
    let mut whole = Vec::with_capacity(MESSAGE_HEADER + message.data.len());
    whole.extend(length.to_be_bytes());
    whole.extend(message.stream.to_be_bytes());
    whole.extend([message.kind.number(), 0]);
    whole.extend(&message.data);
    let mut bytes = Vec::with_capacity(whole.len() + PIECE_HEADER);
    for piece in whole.chunks(PIECE) {
        bytes.extend(message.connection.to_be_bytes());
        bytes.extend(u32::try_from(piece.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(piece);
    }
    Ok(bytes)
}

/// Makes messages of what arrives. It holds no more than one unfinished message of each connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a piece's header.
    header: Vec<u8>,
    /// Of which connection a piece arrives, and how much of it is to come.
    piece: Option<(u32, usize)>,
    /// What has come of each connection's next message.
    streams: BTreeMap<u32, Vec<u8>>,
}

impl Decoder {
    /// What these bytes complete, in its order.
    ///
    /// # Errors
    /// They are no NRI; nothing that follows them can be read.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<Message>, FrameError> {
        let mut messages = Vec::new();
        while !bytes.is_empty() {
            let Some((connection, left)) = self.piece else {
                let (begun, rest) = split(bytes, PIECE_HEADER - self.header.len());
                self.header.extend(begun);
                bytes = rest;
                self.begin_piece()?;
                continue;
            };
            let (part, rest) = split(bytes, left);
            bytes = rest;
            self.piece = Some((connection, left - part.len())).filter(|(_, left)| *left > 0);
            // There are two connections, and nobody has asked for others.
            if matches!(connection, PLUGIN | RUNTIME) {
                let stream = self.streams.entry(connection).or_default();
                stream.extend(part);
                while let Some(message) = first_message(connection, stream)? {
                    messages.push(message);
                }
            }
        }
        Ok(messages)
    }

    fn begin_piece(&mut self) -> Result<(), FrameError> {
        let (Some(connection), Some(length)) = (u32_at(&self.header, 0), u32_at(&self.header, 4)) else {
            return Ok(());
        };
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size > MESSAGE_HEADER + LONGEST {
            return Err(FrameError::Piece(length));
        }
        self.header.clear();
        self.piece = Some((connection, size)).filter(|(_, size)| *size > 0);
        Ok(())
    }
}

/// Takes the first message off a stream, once it is whole.
fn first_message(connection: u32, stream: &mut Vec<u8>) -> Result<Option<Message>, FrameError> {
    let (Some(length), Some(id), Some(kind)) = (u32_at(stream, 0), u32_at(stream, 4), stream.get(8)) else {
        return Ok(None);
    };
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > LONGEST {
        return Err(FrameError::Message(length));
    }
    let kind = Kind::of(*kind);
    let end = MESSAGE_HEADER + size;
    let Some(data) = stream.get(MESSAGE_HEADER..end).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    stream.drain(..end);
    Ok(Some(Message {
        connection,
        stream: id,
        kind,
        data,
    }))
}

/// The first so many bytes, or all there are, and the rest.
fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(connection: u32, stream: u32, kind: Kind, data: Vec<u8>) -> Message {
        Message {
            connection,
            stream,
            kind,
            data,
        }
    }

    #[test]
    fn bytes_are_where_runtimes_look_for_them() {
        let bytes = encode(&message(RUNTIME, 3, Kind::Request, vec![0xaa, 0xbb])).unwrap();
        let outer = [0, 0, 0, 2, 0, 0, 0, 12];
        let inner = [0, 0, 0, 2, 0, 0, 0, 3, 1, 0, 0xaa, 0xbb];
        assert_eq!(bytes, [outer.as_slice(), &inner].concat());
        // No piece is longer than the runtime's buffer.
        let long = encode(&message(PLUGIN, 1, Kind::Response, vec![7; 10_000])).unwrap();
        let mut rest = long.as_slice();
        let mut sizes = Vec::new();
        while !rest.is_empty() {
            let size = usize::try_from(u32_at(rest, 4).unwrap()).unwrap();
            sizes.push(size);
            rest = &rest[8 + size..];
        }
        assert_eq!(sizes, [4096, 4096, 1818]);
        assert_eq!(
            encode(&message(PLUGIN, 1, Kind::Response, vec![0; LONGEST + 1])),
            Err(FrameError::Message(4_194_305))
        );
    }

    fn random_messages(random: &mut fastrand::Rng) -> Vec<Message> {
        let count = random.usize(1..12);
        let one = |random: &mut fastrand::Rng| {
            let sizes = [0, 1, 9, 10, 11, 4086, 4087, 5000, 70_000];
            let size = random.choice(sizes).unwrap() + random.usize(..3);
            message(
                random.choice([PLUGIN, RUNTIME]).unwrap(),
                random.u32(..),
                Kind::of(random.u8(..4)),
                std::iter::repeat_with(|| random.u8(..)).take(size).collect(),
            )
        };
        std::iter::repeat_with(|| one(random)).take(count).collect()
    }

    /// The pieces of all messages: those of one connection in their order, those of the two mixed, each cut anew, and among
    /// them some of connections that nobody has.
    fn mixed(messages: &[Message], random: &mut fastrand::Rng) -> Vec<u8> {
        let stream = |connection: u32| -> Vec<u8> {
            let its = messages.iter().filter(|message| message.connection == connection);
            let whole = its.flat_map(|message| {
                let mut whole = u32::try_from(message.data.len()).unwrap().to_be_bytes().to_vec();
                whole.extend(message.stream.to_be_bytes());
                whole.extend([message.kind.number(), 0]);
                whole.extend(&message.data);
                whole
            });
            whole.collect()
        };
        let mut streams = [(PLUGIN, stream(PLUGIN)), (RUNTIME, stream(RUNTIME)), (77, vec![9; 300])];
        let mut bytes = Vec::new();
        while streams.iter().any(|(_, stream)| !stream.is_empty()) {
            let (connection, stream) = &mut streams[random.usize(..3)];
            let size = random.choice([0, 1, 3, 8, 4096, 100_000]).unwrap().min(stream.len());
            bytes.extend(connection.to_be_bytes());
            bytes.extend(u32::try_from(size).unwrap().to_be_bytes());
            bytes.extend(stream.drain(..size));
        }
        bytes
    }

    #[test]
    fn whatever_way_it_is_cut_the_same_messages_come_out() {
        let seed = std::env::var("CXI_RANDOM_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        println!("CXI_RANDOM_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..60 {
            let messages = random_messages(&mut random);
            let bytes = mixed(&messages, &mut random);
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let size = random.choice([1, 2, 7, 64, 4096, 1 << 20]).unwrap();
                let (part, left) = split(rest, size);
                got.extend(decoder.take(part).unwrap());
                rest = left;
            }
            for connection in [PLUGIN, RUNTIME] {
                let of = |messages: &[Message]| -> Vec<Message> {
                    let its = messages.iter().filter(|message| message.connection == connection);
                    its.cloned().collect()
                };
                assert!(of(&got) == of(&messages), "seed {seed}");
            }
            // Our own way of cutting is one of them.
            let sent = messages.iter().flat_map(|message| encode(message).unwrap());
            let sent: Vec<u8> = sent.collect();
            assert!(Decoder::default().take(&sent).unwrap() == messages, "seed {seed}");
        }
    }

    #[test]
    fn what_is_cut_off_brings_nothing_and_what_is_too_long_is_the_end() {
        let bytes = encode(&message(PLUGIN, 1, Kind::Request, vec![1; 50])).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(Decoder::default().take(&bytes[..length]).unwrap(), []);
        }
        let piece = |length: u32| [1_u32.to_be_bytes(), length.to_be_bytes()].concat();
        assert_eq!(
            Decoder::default().take(&piece(4_194_315)),
            Err(FrameError::Piece(4_194_315))
        );
        assert_eq!(Decoder::default().take(&piece(4_194_314)), Ok(Vec::new()));
        let mut message = piece(10);
        message.extend(4_194_305_u32.to_be_bytes());
        message.extend([0, 0, 0, 1, 1, 0]);
        assert_eq!(Decoder::default().take(&message), Err(FrameError::Message(4_194_305)));
    }

    #[test]
    fn rubbish_is_held_in_bounds() {
        let mut random = fastrand::Rng::with_seed(24);
        for _ in 0..2_000 {
            let mut decoder = Decoder::default();
            for _ in 0..20 {
                let mut bytes = vec![0; random.usize(..200)];
                random.fill(&mut bytes);
                // So that now and then something gets past the first length.
                for zero in bytes.iter_mut().step_by(2) {
                    *zero = 0;
                }
                if decoder.take(&bytes).is_err() {
                    break;
                }
            }
            let held: usize = decoder.streams.values().map(Vec::len).sum();
            assert!(held <= 20 * 200);
        }
    }
}
