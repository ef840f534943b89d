//! What the kernel says by netlink, parsed. Pure: bytes in, meaning out; what makes no sense is nothing.

pub mod generic;
pub mod link;
pub mod uevent;

use netlink_packet_core::{NetlinkBuffer, NlaBuffer, NlasIterator};

/// The messages of one datagram, each with its type and its payload; a broken one ends them.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = usize::try_from(message.length()).ok()?.next_multiple_of(4);
        datagram = datagram.get(length..).unwrap_or_default();
        Some((message.message_type(), message.payload()))
    })
}

/// The attributes of a message after its fixed part; a broken one ends them.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(Result::ok)
}

/// A text as the kernel sends it: it ends with the first NUL.
fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end)?).ok()
}

/// A number in the machine's byte order; more bytes than it has are padding.
fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|number| u32::from_ne_bytes(*number))
}

#[cfg(test)]
mod test_messages {
    //! Messages as the kernel builds them.

    pub fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10]].concat();
        padded([header, payload.to_vec()].concat())
    }

    pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        padded([&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat())
    }

    fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

#[cfg(test)]
mod random {
    //! Random bytes, and real messages with random damage: nothing panics, whatever comes.

    use super::{generic, link, uevent};

    const SEEDS: std::ops::Range<u64> = 0..4;
    const CASES: usize = 20_000;

    /// One parser's real messages, and what it is called with.
    fn damage(samples: &[Vec<u8>], parse: impl Fn(&[u8])) {
        for seed in SEEDS {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..CASES {
                let mut bytes = vec![0; random.usize(..200)];
                random.fill(&mut bytes);
                if random.u8(..) > 32
                    && let Some(sample) = random.choice(samples)
                {
                    bytes.clone_from(sample);
                }
                let kept = random
                    .usize(..=bytes.len())
                    .max(bytes.len().saturating_sub(random.usize(..40)));
                bytes.truncate(kept);
                for _ in 0..random.usize(..4) {
                    let at = random.usize(..bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = random.u8(..);
                    }
                }
                parse(&bytes);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic() {
        damage(&uevent::samples(), |bytes| drop(uevent::parse(bytes)));
        damage(&[link::sample("hsn0")], |bytes| {
            let _ = link::interfaces(bytes).count();
        });
        damage(&generic::samples(), |bytes| {
            let _ = generic::parse(bytes, "cxierr", Some(31)).count();
        });
    }
}
