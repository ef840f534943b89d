//! The uevents of an emulated node, broadcast by the real kernel: a process with CAP_SYS_ADMIN over its network namespace
//! may hand the kernel a uevent, which the kernel then sends to all listeners there as its own (lib/kobject_uevent.c).

use std::io;

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;
use netlink_sys::{Socket, SocketAddr};

use super::state::NicState;
use super::steps::{Step, cxi_name};

/// `NLMSG_MIN_TYPE`.
const MESSAGE_TYPE: u16 = 0x10;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS: u16 = 5;
const HEADER: usize = 16;

/// Sends uevents in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Uevents(Socket);

impl Uevents {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_KOBJECT_UEVENT)?;
        socket.bind_auto()?;
        Ok(Self(socket))
    }

    /// The device or module at `path` below `/sys`, with what its subsystem adds to the event.
    pub fn send(&self, action: &str, path: &str, subsystem: &str, values: &str) -> io::Result<()> {
        let payload = payload(action, path, subsystem, values);
        let length = u32::try_from(HEADER + payload.len()).map_err(io::Error::other)?;
        let mut message = Vec::new();
        message.extend(length.to_ne_bytes());
        message.extend(MESSAGE_TYPE.to_ne_bytes());
        message.extend(FLAGS.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(payload);
        self.0.send_to(&message, &SocketAddr::new(0, 0), 0)?;
        let mut answer = Vec::with_capacity(4096);
        self.0.recv_from(&mut answer, 0)?;
        match answer.get(HEADER..).and_then(|error| error.first_chunk()) {
            Some(bytes) => match i32::from_ne_bytes(*bytes) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error.saturating_neg())),
            },
            None => Err(io::Error::other("the kernel's answer is too short")),
        }
    }

    /// A uevent that pretends to be the kernel's: multicast by this process itself.
    pub fn forge(&self, action: &str, path: &str, subsystem: &str) -> io::Result<()> {
        let payload = payload(action, path, subsystem, "");
        self.0.send_to(&payload, &SocketAddr::new(0, 1), 0).map(drop)
    }

    /// What the kernel says once a part of a NIC is there.
    pub fn made(&self, step: Step, nic: &NicState) -> io::Result<()> {
        match step {
            Step::PciDevice => self.of_function("add", nic),
            // device_add() makes the node in devtmpfs before it tells of the device.
            Step::DeviceNode => self.of_entry("add", "cxi_user", nic),
            Step::Netdev => self.of_netdev("add", nic),
            Step::Cxi => {
                self.of_entry("add", "cxi", nic)?;
                self.of_function("bind", nic)
            }
            Step::Driver | Step::Directories | Step::CxiUser => Ok(()),
        }
    }

    /// What the kernel says once a part of a NIC is gone.
    pub fn unmade(&self, step: Step, nic: &NicState) -> io::Result<()> {
        match step {
            Step::PciDevice => self.of_function("remove", nic),
            Step::CxiUser => self.of_entry("remove", "cxi_user", nic),
            Step::Netdev => self.of_netdev("remove", nic),
            Step::Cxi => self.of_entry("remove", "cxi", nic),
            Step::Driver => self.of_function("unbind", nic),
            Step::DeviceNode | Step::Directories => Ok(()),
        }
    }

    /// The PCI function of a NIC.
    pub fn of_function(&self, action: &str, nic: &NicState) -> io::Result<()> {
        let (vendor, device) = (nic.kind().vendor(), nic.kind().device());
        let values = format!("PCI_ID={vendor:04X}:{device:04X}\0PCI_SLOT_NAME={}\0", nic.pci);
        self.send(action, &nic.dir(), "pci", &values)
    }

    fn of_entry(&self, action: &str, class: &str, nic: &NicState) -> io::Result<()> {
        let Some(bound) = nic.bound else { return Ok(()) };
        let name = cxi_name(bound);
        let values = match class {
            "cxi_user" => format!("DEVNAME={name}\0DEVMODE=0666\0"),
            _ => String::new(),
        };
        self.send(action, &format!("{}/{class}/{name}", nic.dir()), class, &values)
    }

    fn of_netdev(&self, action: &str, nic: &NicState) -> io::Result<()> {
        let (Some(name), Some(bound)) = (&nic.netdev, nic.bound) else {
            return Ok(());
        };
        let values = format!("INTERFACE={name}\0IFINDEX={}\0", bound.ifindex);
        self.send(action, &format!("{}/net/{name}", nic.dir()), "net", &values)
    }
}

fn payload(action: &str, path: &str, subsystem: &str, values: &str) -> Vec<u8> {
    format!("{action}@/{path}\0ACTION={action}\0DEVPATH=/{path}\0SUBSYSTEM={subsystem}\0{values}").into_bytes()
}
