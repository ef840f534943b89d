//! A netlink socket that hears multicasts of the kernel, and of nobody else.

use std::io;
use std::os::fd::AsRawFd;

use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The kernel's port.
const KERNEL: u32 = 0;
/// Larger than any message that we listen for: uevents end at 2 KiB, link messages at about 2, families at about 1.
const MESSAGE_LIMIT: usize = 16 << 10;
/// Room for a burst while the daemon is busy with something else.
const BACKLOG_BYTES: libc::c_int = 1 << 20;

/// A socket bound to multicast groups.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
    told_of_strangers: bool,
}

/// What a socket had for us.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// A message of the kernel, parsed.
    Message(T),
    /// Messages were lost.
    Overflow,
}

impl Listener {
    /// A socket of this protocol, bound to the groups whose bits are set.
    pub fn open(protocol: isize, groups: u32) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.set_non_blocking(true)?;
        // Less room than asked for is a smaller burst, not a failure.
        let _ = socket.set_rx_buf_sz(BACKLOG_BYTES);
        socket.bind(&SocketAddr::new(0, groups))?;
        #[expect(unsafe_code, reason = "tokio cannot see that a descriptor stays the same")]
        // SAFETY: the socket owns its descriptor, never changes it, and closes it only when it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(MESSAGE_LIMIT),
            told_of_strangers: false,
        })
    }

    /// Hears one more multicast group, by its number.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.socket.get_ref().add_membership(group)
    }

    /// Sends a request to the kernel.
    pub fn ask(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(KERNEL, 0);
        self.socket.get_ref().send_to(request, &kernel, 0).map(drop)
    }

    /// Waits for a message of the kernel from which `parse` makes something.
    ///
    /// # Errors
    /// The socket is of no more use.
    pub async fn receive<T>(&mut self, mut parse: impl FnMut(&[u8]) -> Option<T>) -> io::Result<Received<T>> {
        loop {
            let mut ready = self.socket.readable().await?;
            self.buffer.clear();
            let read = |socket: &AsyncFd<Socket>| socket.get_ref().recv_from(&mut self.buffer, libc::MSG_TRUNC);
            let (length, sender) = match ready.try_io(read) {
                Err(_would_block) => continue,
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Received::Overflow),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(received) => received?,
            };
            // Anyone with CAP_NET_ADMIN may multicast; the kernel says who it was.
            if sender.port_number() != KERNEL {
                if !std::mem::replace(&mut self.told_of_strangers, true) {
                    let (fd, port) = (self.socket.as_raw_fd(), sender.port_number());
                    tracing::warn!("ignored a netlink message (socket {fd}) of port {port}, which is not the kernel");
                }
                continue;
            }
            if length > self.buffer.len() {
                return Ok(Received::Overflow);
            }
            if let Some(parsed) = parse(&self.buffer) {
                return Ok(Received::Message(parsed));
            }
        }
    }
}
